import { expect, test } from 'vitest'
import {
  type CaptureRequest,
  formatRequest,
  parseRequest,
  planReplays,
  REPLAY_KEYS_MAX,
  REQUEST_BYTES_MAX,
} from '../../../connectors/postgres/request.ts'

const SNAPSHOT: CaptureRequest = {
  kind: 'snapshot',
  id: 'a1',
  entity: 'customer',
  where: [{ field: 'country', op: '=', value: 'NL' }],
}

test.each<[CaptureRequest]>([
  [{ kind: 'replay', entity: 'customer', keys: ['42', '["a","b"]'] }],
  [{ kind: 'replay', slot: 'tributary_shop_erp', entity: 'customer', keys: ['Ünï 𝄞', '\n"\\'] }],
  [SNAPSHOT],
  [{ ...SNAPSHOT, where: [] }],
])('a request is read as it was written, in ASCII: %j', (request) => {
  const content = formatRequest(request)
  expect(content).toMatch(/^[\x20-\x7e]*$/)
  expect(parseRequest(Buffer.from(content))).toEqual(request)
})

test.each([
  ['', 'it is not JSON'],
  ['secret', 'it is not JSON'],
  ['null', 'its form is not that of a request'],
  ['{"kind":"secret"}', 'its kind is not that of a request'],
  ['{"kind":"replay","entity":"customer"}', 'its keys is not that of a request'],
  ['{"kind":"replay","entity":"customer","keys":[]}', 'its keys is not that of a request'],
  ['{"kind":"replay","entity":"customer","keys":[1]}', 'its keys is not that of a request'],
  ['{"kind":"replay","entity":7,"keys":["1"]}', 'its entity is not that of a request'],
  [
    JSON.stringify({ kind: 'replay', entity: 'c', keys: Array.from({ length: 501 }, String) }),
    'its keys is not that of a request',
  ],
  [JSON.stringify({ ...SNAPSHOT, id: 'x'.repeat(65) }), 'its id is not that of a request'],
  [
    JSON.stringify({ ...SNAPSHOT, where: Array.from({ length: 21 }, () => ({ field: 'a', op: '=', value: '' })) }),
    'its where is not that of a request',
  ],
  [JSON.stringify({ ...SNAPSHOT, where: [{ field: 'a', op: '=' }] }), 'its where is not that of a request'],
  [`"${'x'.repeat(REQUEST_BYTES_MAX)}"`, `it has more than ${REQUEST_BYTES_MAX} bytes`],
])('what is no request is told apart, without quoting it: %.60s', (content, problem) => {
  expect(parseRequest(Buffer.from(content))).toEqual({ kind: 'invalid', problem })
})

test('more keys than a message holds make several, which hold each key once and in order', () => {
  const keys = Array.from({ length: 3 * REPLAY_KEYS_MAX + 1 }, String)
  const requests = planReplays('slot', 'customer', keys)
  expect(requests).toHaveLength(4)
  expect(requests.flatMap((request) => (request.kind === 'replay' ? request.keys : []))).toEqual(keys)
})

test('long keys make messages within the bound, and the longest key alone fits one', () => {
  // A control character has six bytes in JSON: the worst there is.
  const keys = Array.from({ length: 40 }, (_, index) => `${index}${'\u0001'.repeat(4_090)}`)
  const requests = planReplays('s'.repeat(63), 'customer', keys)
  for (const request of requests) expect(formatRequest(request).length).toBeLessThanOrEqual(REQUEST_BYTES_MAX)
  expect(requests.flatMap((request) => (request.kind === 'replay' ? request.keys : []))).toEqual(keys)
})

test('nothing to replay is no request', () => {
  expect(planReplays('slot', 'customer', [])).toEqual([])
})

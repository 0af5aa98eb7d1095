import { afterEach, beforeEach, expect, it } from 'vitest'
import { dataverseRefusal } from '../../../connectors/dataverse/codes.ts'
import { bodyOf, findQueryOf, placeOf, softDeleteOf, writeQueryOf } from '../../../connectors/dataverse/dialect.ts'
import type { HttpAnswer } from '../../../connectors/http/client.ts'
import type { Dialect } from '../../../connectors/odata/dialect.ts'
import type { ODataRequest, ODataSession } from '../../../connectors/odata/session.ts'
import { FRESH_MS, writePatch } from '../../../connectors/odata/write.ts'
import { fullPatch, removal } from '../../contract/destination-contract.ts'
import { mappingOf } from './mappings.ts'

const MAPPING = mappingOf('accounts', ['erp_id'], { name: 'string' })
const DIALECT: Dialect = {
  system: 'a system',
  comparesTags: true,
  place: (mapping, key) => placeOf(mapping, key, () => 'accountid'),
  body: bodyOf,
  findQuery: findQueryOf,
  writeQuery: writeQueryOf,
  softDelete: softDeleteOf,
  refusalOf: dataverseRefusal,
  missingReference: async () => '',
}

let clockMs = 0
let sent: ODataRequest[] = []
let frozenForMs = 0
beforeEach(() => {
  clockMs = 0
  sent = []
  frozenForMs = 0
})
afterEach(() => {
  expect(sent.length).toBeGreaterThan(0)
})

const answer = (status: number, body: object): HttpAnswer => ({
  status,
  headers: {},
  body: Buffer.from(JSON.stringify(body)),
})
const session: ODataSession = {
  root: 'http://system/',
  async send(request) {
    sent.push(request)
    if (request.method !== 'GET') return answer(200, { '@odata.etag': 'W/"2"' })
    clockMs += frozenForMs
    return answer(200, { '@odata.etag': 'W/"1"', erp_id: '1' })
  },
  pathOf: (link) => link,
  close() {},
}
const write = () =>
  writePatch(session, DIALECT, MAPPING, fullPatch('1', 1, { name: 'Old' }), new AbortController().signal, () => clockMs)

it('takes a 404 that is no OData error for nobody’s missing object: a page of a proxy deletes nothing', async () => {
  const page: HttpAnswer = { status: 404, headers: {}, body: Buffer.from('<html>Not found</html>') }
  const proxied: ODataSession = {
    ...session,
    async send(request) {
      sent.push(request)
      return page
    },
  }
  for (const patch of [removal('1', 1), { ...removal('1', 1), tag: 'W/"1"' }, fullPatch('1', 1, { name: 'A' })])
    expect(
      await writePatch(proxied, DIALECT, MAPPING, patch, new AbortController().signal, () => clockMs),
    ).toMatchObject({ kind: 'unavailable' })
})

it('writes on an ETag that was read at once', async () => {
  expect(await write()).toEqual({ kind: 'applied', tag: 'W/"2"' })
})

it('writes nothing on an ETag that was read too late: an owner that was frozen may have lost its keys meanwhile', async () => {
  frozenForMs = FRESH_MS + 1
  expect(await write()).toEqual({ kind: 'conflict' })
  expect(sent.map(({ method }) => method)).toEqual(['GET'])
})

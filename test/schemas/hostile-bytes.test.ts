import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RECORD_BYTES_MAX } from '../../schemas/avro/bytes.ts'
import { deltaSchema } from '../../schemas/avro.ts'
import type { DeltaDecoder } from '../../schemas/codec.ts'
import { TributaryError } from '../../schemas/errors.ts'
import type { Value } from '../../schemas/field-type.ts'
import { decoderOf, encodeOne, errorOf, SUBJECT } from './coding.ts'
import { deltaOf, entityOf, INT64_MIN, SCALARS } from './sample.ts'

const entity = entityOf(
  'order',
  Object.fromEntries(
    SCALARS.flatMap((type, i) => [
      [`a${i}`, type],
      [`b${i}`, `${type}[]`],
    ]),
  ),
)
const schema = deltaSchema('shop', entity)
const values: Record<string, Value> = {
  string: 'Secret4711',
  boolean: true,
  int32: 1n,
  int64: INT64_MIN,
  'decimal(12,2)': '1.00',
  'decimal(5,5)': '0.00001',
  'decimal(60,0)': '9'.repeat(60),
  'decimal(1,0)': '-9',
  numeric: '1.5',
  double: 1.5,
  date: 1,
  time: 1n,
  timestamp: 1n,
  timestamptz: 1n,
  uuid: '0b8f1c9e-3c41-4b6e-9d55-0123456789ab',
  bytes: Buffer.from('Secret4711'),
  json: '{}',
  'enum(open,paid)': 'open',
}
const after = Object.fromEntries(
  SCALARS.flatMap((type, i) => [
    [`a${i}`, values[type]!],
    [`b${i}`, [values[type]!, null]],
  ]),
)
const good = encodeOne(entity, deltaOf('order', after, { changed: ['a0'] }))

async function warm(): Promise<DeltaDecoder> {
  const decoder = decoderOf(schema)
  await decoder.decode(SUBJECT, '1', good)
  return decoder
}

test('every shortened record is corrupt', async () => {
  const decoder = await warm()
  for (let length = 0; length < good.length; length++) {
    const error = await errorOf(() => decoder.decode(SUBJECT, '1', good.subarray(0, length)))
    expect(error.code).toBe('record-corrupt')
  }
})

test('whatever bytes are changed, the record reads or is corrupt, and no value is in the message', async () => {
  const decoder = await warm()
  const change = fc.tuple(fc.integer({ min: 5, max: good.length - 1 }), fc.integer({ min: 0, max: 255 }))
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
      const bytes = Buffer.from(good)
      for (const [position, byte] of changes) bytes[position] = byte
      try {
        decoder.decode(SUBJECT, '1', bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(TributaryError)
        expect((error as TributaryError).code).toBe('record-corrupt')
        expect((error as TributaryError).message).not.toContain('Secret')
      }
    }),
    { numRuns: 3000 },
  )
})

const small = entityOf('order', { id: 'string', list: 'string[]' })
const head = encodeOne(small, deltaOf('order', { id: null, list: null }))
// The field list is the last of `after`; after comes right behind changed (null).
const listAt = head.indexOf(Buffer.from([0, 0, 0, 16])) + 2

test.each<[string, Buffer]>([
  ['an empty value', Buffer.alloc(0)],
  ['a wrong magic byte', Buffer.concat([Buffer.from([1]), head.subarray(1)])],
  ['a negative schema id', Buffer.concat([Buffer.from([0, 255, 255, 255, 255]), head.subarray(5)])],
  ['an unknown schema id', Buffer.concat([Buffer.from([0, 0, 0, 0, 8]), head.subarray(5)])],
  ['bytes after the end', Buffer.concat([head, Buffer.from([0])])],
  ['an unknown operation', replaced(5, [6])],
  ['a negative operation', replaced(5, [1])],
  ['a boundless number', replaced(5, Array(11).fill(255))],
  ['a third branch of a union', replaced(listAt, [4])],
  ['a list of more items than bytes', replaced(listAt, [2, 0xfe, 0xff, 0xff, 0xff, 0x0f])],
  ['a list of 2^62 items', replaced(listAt, [2, ...Array(8).fill(0xff), 0x7f])],
  ['a list whose block is larger than the record', replaced(listAt, [2, 1, 0xfe, 0xff, 0x0f, 0, 0])],
  ['a string longer than the record', replaced(listAt - 1, [2, 0xfe, 0xff, 0xff, 0x0f])],
  ['a string of negative length', replaced(listAt - 1, [2, 1])],
  ['a string that is not UTF-8', replaced(listAt - 1, [2, 2, 0xff])],
  ['a claim of a field that is not claimed', Buffer.concat([head.subarray(0, -1), claim('nothing')])],
  ['a claim of the prototype', Buffer.concat([head.subarray(0, -1), claim('__proto__')])],
  ['more than the limit', Buffer.alloc(RECORD_BYTES_MAX + 1)],
])('%s is corrupt', async (_what, value) => {
  const decoder = decoderOf(deltaSchema('shop', small))
  await decoder.decode(SUBJECT, '1', head)
  expect((await errorOf(() => decoder.decode(SUBJECT, '1', value))).code).toBe('record-corrupt')
})

test('a list in blocks with sizes, as other writers make them, is read', async () => {
  const decoder = decoderOf(deltaSchema('shop', small))
  // Two blocks: -1 items in 3 bytes ("a"), then one item null.
  const value = replaced(listAt, [2, 1, 6, 2, 2, 97, 2, 0, 0])
  expect((await decoder.decode(SUBJECT, '1', value)).after.list).toStrictEqual(['a', null])
})

function replaced(position: number, bytes: readonly number[]): Buffer {
  return Buffer.concat([head.subarray(0, position), Buffer.from(bytes), head.subarray(position + 1)])
}

function claim(name: string): Buffer {
  return Buffer.concat([Buffer.from([2, 2 * name.length]), Buffer.from(name), Buffer.from([0, 0, 0, 0])])
}

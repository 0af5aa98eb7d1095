import avsc from 'avsc'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { avscType } from '../../schemas/avro/avsc-type.ts'
import { RECORD_BYTES_MAX } from '../../schemas/avro/bytes.ts'
import { deltaSchema } from '../../schemas/avro.ts'
import { createDeltaEncoder, peekVersion } from '../../schemas/codec.ts'
import type { parseFieldType, Value } from '../../schemas/field-type.ts'
import { decoderOf, encodeOne, errorOf, roundTrip, SUBJECT } from './coding.ts'
import { deltaOf, deltas, entityOf, INT64_MAX, INT64_MIN } from './sample.ts'

/** What avsc reads for a value, put into our form. Written apart from the code under test. */
function fromAvsc(value: unknown, type: ReturnType<typeof parseFieldType>): unknown {
  if (value === null) return null
  if (type.kind === 'array') {
    const { of } = type
    return (value as unknown[]).map((item) => fromAvsc(item, of))
  }
  if (type.kind !== 'decimal') return value
  let unscaled = 0n
  for (const byte of value as Buffer) unscaled = (unscaled << 8n) | BigInt(byte)
  unscaled = BigInt.asIntN(8 * (value as Buffer).length, unscaled)
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(type.scale + 1, '0')
  const cut = digits.length - type.scale
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, cut)}${type.scale > 0 ? '.' : ''}${digits.slice(cut)}`
}

describe('round trips', () => {
  test('any delta comes back as it was', async () => {
    await fc.assert(
      fc.asyncProperty(deltas, async ({ entity, delta }) => {
        expect(await roundTrip(entity, delta)).toStrictEqual(delta)
      }),
      { numRuns: 300 },
    )
  })

  test('avsc reads the same from our bytes, and writes the same bytes', () => {
    fc.assert(
      fc.property(deltas, ({ entity, delta }) => {
        const type = avscType(deltaSchema('shop', entity))
        const body = encodeOne(entity, delta).subarray(5)
        const read = type.fromBuffer(body)
        expect(type.toBuffer(read).equals(body)).toBe(true)
        expect(read.op).toBe(delta.op)
        expect({ ...read.version }).toStrictEqual(delta.version)
        expect({ ...read.source }).toStrictEqual(delta.source)
        expect(read.changed).toStrictEqual(delta.changed)
        expect(read.origin).toBe(delta.origin)
        for (const field of entity.fields) {
          const value = read.after[field.name.replace('-', '_')]
          expect(fromAvsc(value, field.type)).toStrictEqual(delta.after[field.name] ?? null)
        }
      }),
      { numRuns: 300 },
    )
  })

  test.each<[string, Value]>([
    ['int64', INT64_MAX],
    ['int64', INT64_MIN],
    ['int64', -(2n ** 52n) - 1n],
    ['int64', -(2n ** 53n) - 1n],
    ['int64', -(2n ** 62n) - 1n],
    ['int64', 2n ** 52n],
    ['int32', 2_147_483_647n],
    ['int32', -2_147_483_648n],
    ['timestamptz', INT64_MAX],
    ['timestamp', INT64_MIN],
    ['time', 86_400_000_000n],
    ['date', 2_147_483_647],
    ['date', -2_147_483_648],
    ['decimal(12,2)', '9999999999.99'],
    ['decimal(12,2)', '-9999999999.99'],
    ['decimal(12,2)', '0.00'],
    ['decimal(12,2)', '-0.01'],
    ['decimal(3,0)', '127'],
    ['decimal(3,0)', '128'],
    ['decimal(3,0)', '-128'],
    ['decimal(3,0)', '-129'],
    ['decimal(15,0)', '140737488355328'],
    ['decimal(1000,500)', `${'9'.repeat(500)}.${'9'.repeat(500)}`],
    ['decimal(1000,1000)', `-0.${'0'.repeat(999)}1`],
    ['numeric', 'NaN'],
    ['numeric', '-Infinity'],
    ['numeric', `${'1'.repeat(2000)}.${'2'.repeat(2000)}`],
    ['double', Number.NaN],
    ['double', -0],
    ['double', Number.MIN_VALUE],
    ['double', Number.NEGATIVE_INFINITY],
    ['string', ''],
    ['string', '\u0000'],
    ['string', '😀'.repeat(5)],
    ['string', 'ü'.repeat(21)],
    ['string', 'ü'.repeat(32)],
    ['string', '\ufffd and 😀'.repeat(1000)],
    ['bytes', Buffer.alloc(0)],
    ['bytes', Buffer.alloc(100_000, 255)],
    ['json', '{"a":[1,2,{"b":null}]}'],
    ['string[]', []],
    ['string[]', ['a', null, '']],
    ['decimal(5,1)[]', ['0.0', null, '-1234.5']],
    ['boolean', false],
    ['uuid', '00000000-0000-0000-0000-000000000000'],
  ])('%s holds its extremes (%#)', async (type, value) => {
    const entity = entityOf('order', { id: 'string', field: type })
    const delta = deltaOf('order', { id: '1', field: value })
    expect((await roundTrip(entity, delta)).after.field).toStrictEqual(value)
  })

  test('a plain avsc type and its resolver read what is encoded', () => {
    const before = entityOf('order', { id: 'string', total: 'decimal(12,2)' })
    const now = entityOf('order', { id: 'string', total: 'decimal(12,2)', note: 'string' })
    const writer = avsc.Type.forSchema(deltaSchema('shop', before) as avsc.Schema)
    const reader = avsc.Type.forSchema(deltaSchema('shop', now) as avsc.Schema)
    const body = encodeOne(before, deltaOf('order', { id: '1', total: '12.50' })).subarray(5)
    const read = reader.fromBuffer(body, reader.createResolver(writer))
    expect(read.after).toMatchObject({ id: '1', note: null, total: Buffer.from([0x04, 0xe2]) })
    expect(read.version.position).toBe(23_456_789)
  })
})

describe('what a type cannot hold', () => {
  const secret = 'Secret4711'
  test.each<[string, unknown, string]>([
    ['decimal(12,2)', 'NaN', 'is not a finite number'],
    ['decimal(12,2)', '-Infinity', 'is not a finite number'],
    ['decimal(12,2)', '12.345', 'has 3 digits after the point instead of 2'],
    ['decimal(12,2)', '12', 'has 0 digits after the point instead of 2'],
    ['decimal(12,2)', '1.5', 'has 1 digits after the point instead of 2'],
    ['decimal(12,2)', '12345678901.00', 'has more than 12 digits'],
    ['decimal(12,2)', '-0.00', 'is a zero with a sign'],
    ['decimal(12,2)', '01.00', 'has zeros in front'],
    ['decimal(12,2)', '.50', 'is not a decimal number'],
    ['decimal(12,2)', '-.50', 'is not a decimal number'],
    ['decimal(12,2)', '1e2.00', 'is not a decimal number'],
    ['decimal(12,2)', '', 'is not a decimal number'],
    ['decimal(12,0)', '', 'is not a decimal number'],
    ['decimal(12,0)', '-', 'is not a decimal number'],
    ['decimal(12,2)', secret, 'is not a decimal number'],
    ['decimal(12,2)', 12.5, 'is not a decimal'],
    ['decimal(2,2)', '1.00', 'has more than 2 digits'],
    ['int32', 2_147_483_648n, 'is out of range for an int32'],
    ['int32', 5, 'is not an int32'],
    ['int64', INT64_MAX + 1n, 'is out of range for an int64'],
    ['int64', INT64_MIN - 1n, 'is out of range for an int64'],
    ['time', 86_400_000_001n, 'is out of range for a time of day'],
    ['time', -1n, 'is out of range for a time of day'],
    ['timestamptz', INT64_MAX + 1n, 'is out of range for a timestamptz'],
    ['date', 1.5, 'is not a number of days'],
    ['date', 2_147_483_648, 'is out of range for a date'],
    ['numeric', secret, 'is not a number'],
    ['numeric', '', 'is not a number'],
    ['double', '1', 'is not a double'],
    ['boolean', 1n, 'is not a boolean'],
    ['uuid', secret, 'is not a uuid'],
    ['uuid', '0B8F1C9E-3C41-4B6E-9D55-0123456789AB', 'is not a uuid in lower case'],
    ['enum(open,paid)', secret, 'is none of the declared symbols'],
    ['json', `{${secret}}`, 'is not JSON'],
    ['string', `${secret}\ud800`, 'is not well-formed text'],
    ['string', `${secret.repeat(9)}\udc00`, 'is not well-formed text'],
    ['string', 5n, 'is not a string'],
    ['bytes', secret, 'is not a buffer'],
    ['string[]', secret, 'is not an array'],
    ['enum(open)[]', ['open', secret], 'has an item 1 that is none of the declared symbols'],
    ['int32[]', [1n, undefined], 'has no item 1'],
    ['string', undefined, 'is missing from the change'],
  ])('%s refuses it and says why, without the value (%#)', async (type, value, why) => {
    const entity = entityOf('order', { id: 'string', field: type })
    const delta = deltaOf('order', { id: '1', field: value as Value })
    const error = await errorOf(() => encodeOne(entity, delta))
    expect(error.code).toBe('value-unencodable')
    expect(error.message).toContain(`order.field ${why}`)
    expect(error.message).not.toContain(secret)
    expect(String((error.cause as Error).message)).not.toContain(secret)
  })

  test('an encoder goes on after a value it refused', async () => {
    const entity = entityOf('order', { id: 'string', total: 'decimal(12,2)' })
    const schema = deltaSchema('shop', entity)
    const encode = createDeltaEncoder(entity, schema, 7)
    const good = deltaOf('order', { id: '1', total: '1.00' })
    await errorOf(() => encode(deltaOf('order', { id: '1', total: 'NaN' })))
    expect(await decoderOf(schema).decode(SUBJECT, '1', encode(good))).toStrictEqual(good)
  })

  test('a record larger than the limit is refused', async () => {
    const entity = entityOf('order', { id: 'string', file: 'bytes' })
    const delta = deltaOf('order', { id: '1', file: Buffer.alloc(RECORD_BYTES_MAX) })
    expect((await errorOf(() => encodeOne(entity, delta))).code).toBe('value-unencodable')
  })

  test('an encoder refuses a schema of another declaration, an undeclared field and another entity', async () => {
    const entity = entityOf('order', { id: 'string', total: 'decimal(12,2)' })
    const other = entityOf('order', { id: 'string', total: 'decimal(12,3)' })
    const wrongs = [
      () => createDeltaEncoder(entity, deltaSchema('shop', other), 7),
      () => encodeOne(entity, deltaOf('order', { id: '1', total: '1.00', extra: null })),
      () => encodeOne(entity, deltaOf('invoice', { id: '1', total: '1.00' })),
    ]
    for (const wrong of wrongs) expect((await errorOf(wrong)).code).toBe('invariant-broken')
  })
})

describe('peekVersion', () => {
  test('finds the version of any delta', () => {
    fc.assert(
      fc.property(deltas, ({ entity, delta }) => {
        expect(peekVersion(encodeOne(entity, delta))).toStrictEqual(delta.version)
      }),
    )
  })

  test('takes no other bytes for a delta', () => {
    const others = [
      Buffer.alloc(0),
      Buffer.from('{"epoch":1}'),
      Buffer.from([0, 0, 0, 0, 7]),
      Buffer.from([0, 0, 0, 0, 7, 0]),
      Buffer.from([0, 0, 0, 0, 7, 3, 2, 2, 0]),
      Buffer.from([0, 0, 0, 0, 7, 6, 2, 2, 0]),
      Buffer.from([0, 0, 0, 0, 7, 0, 0, 2, 0]),
      Buffer.from([0, 0, 0, 0, 7, 0, 2, 1, 0]),
      Buffer.from([0, 0, 0, 0, 7, 0, 2, 2, 3]),
      Buffer.from([0, 0, 0, 0, 7, 0, 2, 2, ...Array(10).fill(255)]),
    ]
    for (const bytes of others) expect(peekVersion(bytes)).toBeUndefined()
    expect(peekVersion(Buffer.from([0, 0, 0, 0, 7, 0, 2, 2, 1]))).toStrictEqual({
      epoch: 1n,
      position: 1n,
      ordinal: -1,
    })
  })

  test('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        peekVersion(Buffer.from(bytes))
        peekVersion(Buffer.concat([Buffer.from([0, 0, 0, 0, 7, 2]), bytes]))
      }),
      { numRuns: 1000 },
    )
  })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { joinArray, splitArray } from '../../../connectors/postgres/array-literal.ts'
import { readerFor, Unencodable } from '../../../connectors/postgres/values.ts'
import { parseFieldType, type Value } from '../../../schemas/field-type.ts'

/** Reads with other bytes around the text, as in a message. */
function read(type: string, text: string): Value {
  const bytes = Buffer.from(`9${text}9`)
  return readerFor(parseFieldType(type))(bytes, 1, bytes.length - 1)
}

test('integers of any size keep every digit', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      expect(read('int64', String(value))).toBe(value)
    }),
  )
  for (const value of [0n, -1n, 999999999999999n, -99999999999999n, 1000000000000000n])
    expect(read('int64', String(value))).toBe(value)
})

test('a decimal gets exactly its scale, and never loses a digit silently', () => {
  expect(read('decimal(6,2)', '0')).toBe('0.00')
  expect(read('decimal(6,2)', '-0.00')).toBe('0.00')
  expect(read('decimal(6,2)', '-0.05')).toBe('-0.05')
  expect(read('decimal(6,2)', '1234.5')).toBe('1234.50')
  expect(read('decimal(6,2)', '1234.5000')).toBe('1234.50')
  expect(read('decimal(3,0)', '12')).toBe('12')
  expect(read('decimal(2,2)', '0.99')).toBe('0.99')
  for (const [type, text] of [
    ['decimal(6,2)', '12345'],
    ['decimal(6,2)', '0.001'],
    ['decimal(2,2)', '1'],
    ['decimal(6,2)', 'NaN'],
    ['decimal(6,2)', 'Infinity'],
    ['decimal(6,2)', '-Infinity'],
  ] as const)
    expect(() => read(type, text), `${type} ${text}`).toThrow(Unencodable)
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.nat(12), (unscaled, scale) => {
      const sign = unscaled < 0n ? '-' : ''
      const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
      const text = scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
      expect(read(`decimal(40,${scale})`, text)).toBe(text)
    }),
  )
})

test('timestamps of four-digit years agree with the language itself, to the microsecond', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }),
      fc.nat(999),
      (date, micros) => {
        const iso = date.toISOString()
        const fraction = `${iso.slice(20, 23)}${String(micros).padStart(3, '0')}`.replace(/0+$/, '')
        const text = `${iso.slice(0, 10)} ${iso.slice(11, 19)}${fraction && `.${fraction}`}`
        const expected = BigInt(date.getTime()) * 1000n + BigInt(micros)
        expect(read('timestamp', text)).toBe(expected)
        expect(read('timestamptz', `${text}+00`)).toBe(expected)
        expect(read('timestamptz', `${text}-02:30`)).toBe(expected + 9_000_000_000n)
        expect(read('date', iso.slice(0, 10))).toBe(Math.floor(date.getTime() / 86_400_000))
      },
    ),
  )
})

test('what 64-bit microseconds cannot hold is refused, not wrapped', () => {
  expect(() => read('timestamp', '294276-12-31 23:59:59.999999')).toThrow(Unencodable)
  expect(read('timestamp', '294247-01-10 04:00:54.775806')).toBe(9223372036854775806n)
  expect(() => read('timestamp', '294247-01-10 04:00:54.775807')).toThrow(Unencodable)
  expect(() => read('timestamp', 'yesterday')).toThrow(Unencodable)
  expect(() => read('date', '01.02.2024')).toThrow(Unencodable)
  expect(() => read('time', '01:00:00+01')).toThrow(Unencodable)
})

test('malformed bytes, UUIDs and symbols are refused without their value in the reason', () => {
  for (const [type, text] of [
    ['bytes', '\\x0'],
    ['bytes', '\\xzz'],
    ['bytes', 'secret'],
    ['uuid', 'secret'],
    ['enum(open)', 'secret'],
    ['int64[]', '{{1},{2}}'],
  ] as const) {
    expect(() => read(type, text), `${type} ${text}`).toThrow(Unencodable)
    expect(() => read(type, text)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('secret') }))
  }
})

test('an array of any texts survives being written and read', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
      expect(splitArray(joinArray(texts))).toEqual(texts)
    }),
  )
  expect(splitArray('{NULL,"NULL"}')).toEqual([null, 'NULL'])
  expect(splitArray('{{1,2}}')).toBeUndefined()
  for (const broken of ['', '{', '{"a', '{"a\\', '{a', '{"a"b}']) expect(splitArray(broken), broken).toBeUndefined()
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseExact } from '../../../connectors/exact-json.ts'
import { budgetOf, readLimitInfo } from '../../../connectors/salesforce/api-usage.ts'
import { isPlainKey, soqlText } from '../../../connectors/salesforce/paths.ts'
import { canonicalValue } from '../../../connectors/salesforce/record/canonical.ts'
import { renderKey, renderValue } from '../../../connectors/salesforce/record/render.ts'
import { DATE_INFINITY, parseFieldType, TIMESTAMP_INFINITY, type Value } from '../../../schemas/field-type.ts'

const rendered = (type: string, value: Value) => {
  const written = renderValue(parseFieldType(type), value)
  return written.ok ? written.json : written.code
}
const micros = (text: string) => BigInt(Date.parse(text)) * 1000n

describe('values', () => {
  test.each<[string, Value, string]>([
    ['string', 'O"Neil\n', '"O\\"Neil\\n"'],
    ['string', '', 'null'],
    ['string', null, 'null'],
    ['string', '\ud800', 'text-not-unicode'],
    ['boolean', true, 'true'],
    ['int64', 9_223_372_036_854_775_807n, '9223372036854775807'],
    ['decimal(30,10)', '12345678901234567890.1234567890', '12345678901234567890.1234567890'],
    ['numeric', '0.10000000000000000000001', '0.10000000000000000000001'],
    ['numeric', 'NaN', 'value-unrepresentable'],
    ['numeric', 'Infinity', 'value-unrepresentable'],
    ['double', 0.1, '0.1'],
    ['double', Number.POSITIVE_INFINITY, 'value-unrepresentable'],
    ['date', 0, '"1970-01-01"'],
    ['date', -719_162, '"0001-01-01"'],
    ['date', DATE_INFINITY, 'value-unrepresentable'],
    ['date', 2_932_897, 'value-unrepresentable'],
    ['time', 3_723_004_005n, '"01:02:03.004Z"'],
    ['time', 86_400_000_000n, 'value-unrepresentable'],
    ['timestamptz', micros('2026-11-22T10:00:00.123Z') + 456n, '"2026-11-22T10:00:00.123Z"'],
    ['timestamptz', -1n, '"1969-12-31T23:59:59.999Z"'],
    ['timestamp', micros('9999-12-31T23:59:59.999Z') + 999n, '"9999-12-31T23:59:59.999Z"'],
    ['timestamp', micros('9999-12-31T23:59:59.999Z') + 1000n, 'value-unrepresentable'],
    ['timestamp', TIMESTAMP_INFINITY, 'value-unrepresentable'],
    ['bytes', Buffer.from([0, 255]), '"AP8="'],
    ['string[]', ['red', 'blue'], '"red;blue"'],
    ['string[]', [], 'null'],
    ['string[]', ['a;b'], 'value-unrepresentable'],
    ['string[]', ['a', null], 'value-unrepresentable'],
    ['boolean', 'true', 'value-mistyped'],
  ])('%s %s is written as %s', (type, value, written) => {
    expect(rendered(type, value)).toBe(written)
  })

  test('come back as they went, digit by digit', () => {
    const scaled = fc.tuple(fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n }), fc.integer({ min: 0, max: 9999 }))
    fc.assert(
      fc.property(scaled, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), ([whole, fraction], integer) => {
        const decimal = `${whole}.${String(fraction).padStart(4, '0')}`
        const back = (type: string, value: Value) =>
          canonicalValue(parseFieldType(type), parseExact(rendered(type, value))!)
        expect(back('decimal(22,4)', decimal)).toBe(decimal)
        expect(back('int64', integer)).toBe(integer)
      }),
    )
  })

  test.each<[string, string, Value]>([
    ['decimal(12,2)', '1.5E3', '1500.00'],
    ['decimal(12,2)', '1.25E-1', null],
    ['decimal(12,3)', '1.25E-1', '0.125'],
    ['decimal(12,2)', '-0.00', '0.00'],
    ['int64', '42.0', 42n],
    ['int64', '42.5', null],
    ['timestamptz', '"2026-11-22T10:00:00.123+0000"', micros('2026-11-22T10:00:00.123Z')],
    ['timestamptz', '"2026-11-22T12:00:00+02:00"', micros('2026-11-22T10:00:00Z')],
    ['time', '"01:02:03.004Z"', 3_723_004_000n],
    ['string[]', '"red;blue"', ['red', 'blue']],
    ['boolean', '"true"', null],
  ])('%s: %s is read as %s', (type, text, value) => {
    expect(canonicalValue(parseFieldType(type), parseExact(text)!)).toEqual(value)
  })
})

describe('keys', () => {
  test.each(['', ' a', 'a ', 'a\n', '\u00a0a'])('%j would meet the object of another key, and is refused', (key) => {
    expect(renderKey(key)).toMatchObject({ ok: false, code: 'key-unsuitable' })
  })

  test('stand in a path only when nothing in them needs a second look', () => {
    expect(['a', 'A-1_b', '42'].every(isPlainKey)).toBe(true)
    expect(['', '.', '..', 'a.b', 'a/b', 'a b', 'ü', '%', 'a?', 'a#', 'a;b'].some(isPlainKey)).toBe(false)
  })

  test('are escaped in queries', () => {
    expect(soqlText(`a'b\\c"d\n\u0001é`)).toBe(`'a\\'b\\\\c\\"d\\n\\u0001é'`)
  })
})

describe('the limit of calls', () => {
  test('is the scarcest that the header tells', () => {
    expect(readLimitInfo('api-usage=18/5000', 7)).toEqual({ used: 18, max: 5000, atMs: 7 })
    expect(readLimitInfo('api-usage=25/5000; per-app-api-usage=240/250(appName=x)', 7)).toMatchObject({
      used: 240,
      max: 250,
    })
    expect(readLimitInfo('api-usage=10018/100000; api-bursts=1/750', 7)).toMatchObject({ used: 10_018 })
    expect([readLimitInfo(undefined, 7), readLimitInfo('api-usage=1/0', 7), readLimitInfo('x', 7)]).toEqual([
      null,
      null,
      null,
    ])
  })

  test('comes back over a day', () => {
    const usage = { used: 5000, max: 5000, atMs: 0 }
    expect(budgetOf(null, 0)).toBeNull()
    expect(budgetOf(usage, 0)).toEqual({ left: 0, moreInMs: 17_280, requestsMax: null })
    expect(budgetOf(usage, 17_279)).toEqual({ left: 0, moreInMs: 1, requestsMax: null })
    expect(budgetOf(usage, 17_280)?.left).toBe(1 / 5000)
    expect(budgetOf({ ...usage, used: 5002 }, 17_280)).toEqual({ left: 0, moreInMs: 34_560, requestsMax: null })
    expect(budgetOf(usage, 43_200_000)?.left).toBe(0.5)
    expect(budgetOf(usage, 999_999_999)?.left).toBe(1)
  })
})

import { describe, expect, it } from 'vitest'
import { arrayLiteral, literal, textLiteral } from '../../../connectors/warehouse/literals.ts'
import {
  DATE_INFINITY,
  DATE_MINUS_INFINITY,
  parseFieldType,
  TIMESTAMP_INFINITY,
  TIMESTAMP_MINUS_INFINITY,
  type Value,
} from '../../../schemas/field-type.ts'

function textOf(type: string, value: Value): string | null {
  const written = literal(parseFieldType(type), value)
  if (!written.ok) throw new Error(`${written.code}: ${written.reason}`)
  return written.text
}

const DAY_MICROS = 86_400_000_000n

describe('a value is written as the text that PostgreSQL reads back', () => {
  it.each<[string, Value, string | null]>([
    ['string', 'O\'Brien "x" \\ 😀', 'O\'Brien "x" \\ 😀'],
    ['string', '', ''],
    ['string', null, null],
    ['boolean', true, 't'],
    ['boolean', false, 'f'],
    ['int64', -9_223_372_036_854_775_808n, '-9223372036854775808'],
    ['decimal(4,2)', '-0.50', '-0.50'],
    ['numeric', 'NaN', 'NaN'],
    ['double', -0, '-0'],
    ['double', Number.NaN, 'NaN'],
    ['double', Number.NEGATIVE_INFINITY, '-Infinity'],
    ['double', 5e-324, '5e-324'],
    ['double', 1.7976931348623157e308, '1.7976931348623157e+308'],
    ['date', 0, '1970-01-01'],
    ['date', -1, '1969-12-31'],
    ['date', 11_016, '2000-02-29'],
    ['date', -719_162, '0001-01-01'],
    ['date', -719_163, '0001-12-31 BC'],
    ['date', -719_468, '0001-03-01 BC'],
    ['date', -2_440_588, '4714-11-24 BC'],
    ['date', 2_145_042_905, '5874897-12-31'],
    ['date', DATE_INFINITY, 'infinity'],
    ['date', DATE_MINUS_INFINITY, '-infinity'],
    ['time', 0n, '00:00:00'],
    ['time', 1n, '00:00:00.000001'],
    ['time', DAY_MICROS, '24:00:00'],
    ['timestamp', -1n, '1969-12-31 23:59:59.999999'],
    ['timestamptz', 0n, '1970-01-01 00:00:00+00'],
    ['timestamptz', -719_163n * DAY_MICROS + 5n, '0001-12-31 00:00:00.000005+00 BC'],
    ['timestamptz', TIMESTAMP_INFINITY, 'infinity'],
    ['timestamp', TIMESTAMP_MINUS_INFINITY, '-infinity'],
    ['bytes', Buffer.from([0, 255, 92]), '\\x00ff5c'],
    ['json', '{"a":null}', '{"a":null}'],
    ['string[]', [], '{}'],
    ['string[]', ['a"b', 'c\\d', 'NULL', null, '', '{,}'], '{"a\\"b","c\\\\d","NULL",NULL,"","{,}"}'],
    ['bytes[]', [Buffer.from([1])], '{"\\\\x01"}'],
    ['int32[]', [1n, null], '{"1",NULL}'],
  ])('%s, case %#', (type, value, text) => {
    expect(textOf(type, value)).toBe(text)
  })

  it('days run on without a gap over years, centuries and the year that is not there', () => {
    for (const from of [-719_900, -500, 10_800, 47_400])
      for (let day = from; day < from + 1000; day++) {
        const date = new Date(day * 86_400_000)
        const year = date.getUTCFullYear()
        const shown = `${String(year > 0 ? year : 1 - year).padStart(4, '0')}-${String(date.getUTCMonth() + 1).padStart(2, '0')}-${String(date.getUTCDate()).padStart(2, '0')}`
        expect(textOf('date', day)).toBe(year > 0 ? shown : `${shown} BC`)
      }
  })
})

describe('a value that can never be stored is told apart, without showing it', () => {
  it.each<[string, Value, string]>([
    ['string', 'secret\0', 'text-nul'],
    ['string', 'secret\ud800', 'text-not-unicode'],
    ['string[]', ['fine', 'secret\0'], 'text-nul'],
    ['int64', 'secret', 'value-mistyped'],
    ['int64', 1, 'value-mistyped'],
    ['date', 1.5, 'value-mistyped'],
    ['time', DAY_MICROS + 1n, 'value-mistyped'],
    ['string[]', 'secret', 'value-mistyped'],
    ['bytes', 'secret', 'value-mistyped'],
  ])('%s, case %#, is told', (type, value, code) => {
    const written = literal(parseFieldType(type), value)
    expect(written).toMatchObject({ ok: false, code })
    expect(JSON.stringify(written)).not.toContain('secret')
  })

  it('a record key goes through the same check', () => {
    expect(textLiteral('a\0')).toMatchObject({ ok: false, code: 'text-nul' })
    expect(textLiteral('a')).toEqual({ ok: true, text: 'a' })
  })
})

it('an array of array literals survives its second quoting', () => {
  expect(arrayLiteral([arrayLiteral(['a"b']), null])).toBe('{"{\\"a\\\\\\"b\\"}",NULL}')
})

it.each([
  [['\\x41', '\\x42'], '{"\\\\x41","\\\\x42"}'],
  [['\\', '\\\\'], '{"\\\\","\\\\\\\\"}'],
  [['\\a"b', 'a\\', '"'], '{"\\\\a\\"b","a\\\\","\\""}'],
])('in an array of %j every quote and backslash is escaped, wherever it stands', (elements, text) => {
  expect(arrayLiteral(elements)).toBe(text)
})

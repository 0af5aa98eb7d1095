import { describe, expect, it } from 'vitest'
import { canonicalValue, jsonText, parseText } from '../../../connectors/http/json-values.ts'
import {
  DATE_INFINITY,
  parseFieldType,
  TIMESTAMP_INFINITY,
  TIMESTAMP_MINUS_INFINITY,
  type Value,
} from '../../../schemas/field-type.ts'

const CASES: readonly (readonly [string, Value, string])[] = [
  ['string', 'a"b\n🦊', '"a\\"b\\n🦊"'],
  ['string', null, 'null'],
  ['boolean', false, 'false'],
  ['int32', -5n, '-5'],
  ['int64', 9_223_372_036_854_775_807n, '9223372036854775807'],
  ['int64', -9_007_199_254_740_993n, '-9007199254740993'],
  ['decimal(30,4)', '12345678901234567890.1000', '12345678901234567890.1000'],
  ['decimal(5,0)', '0', '0'],
  ['decimal(5,2)', '-0.50', '-0.50'],
  ['numeric', '0.00000000000000000000000000001', '0.00000000000000000000000000001'],
  ['double', 0.1, '0.1'],
  ['double', 1e300, '1e+300'],
  ['double', -0, '-0'],
  ['date', 0, '"1970-01-01"'],
  ['date', -719_162, '"0001-01-01"'],
  ['date', 2_932_896, '"9999-12-31"'],
  ['time', 86_399_999_999n, '"23:59:59.999999"'],
  ['time', 86_400_000_000n, '"24:00:00.000000"'],
  ['timestamptz', 1_700_000_000_123_456n, '"2023-11-14T22:13:20.123456Z"'],
  ['timestamptz', -1n, '"1969-12-31T23:59:59.999999Z"'],
  ['timestamp', -86_400_000_000n, '"1969-12-31T00:00:00.000000"'],
  ['uuid', '6ba7b810-9dad-11d1-80b4-00c04fd430c8', '"6ba7b810-9dad-11d1-80b4-00c04fd430c8"'],
  ['bytes', Buffer.from([0, 255]), '"AP8="'],
  ['json', '{"a": null}', '"{\\"a\\": null}"'],
  ['enum(open,paid)', 'paid', '"paid"'],
  ['int64[]', [1n, null, 9_223_372_036_854_775_807n], '[1,null,9223372036854775807]'],
  ['string[]', [], '[]'],
]

describe('a value', () => {
  it.each(CASES)('of %s, %s, is %s and is read back from it', (type, value, text) => {
    expect(jsonText(parseFieldType(type), value)).toEqual({ ok: true, text })
    expect(canonicalValue(parseFieldType(type), parseText(text))).toEqual(value)
  })

  it.each<[string, Value]>([
    ['numeric', 'NaN'],
    ['numeric', 'Infinity'],
    ['double', Number.NaN],
    ['double', Number.NEGATIVE_INFINITY],
    ['date', DATE_INFINITY],
    ['timestamptz', TIMESTAMP_INFINITY],
    ['timestamp', TIMESTAMP_MINUS_INFINITY],
    ['double[]', [1, Number.NaN]],
  ])('of %s, %s, has no form in JSON', (type, value) => {
    expect(jsonText(parseFieldType(type), value)).toMatchObject({ ok: false, code: 'value-not-json' })
  })

  it('of another type than was declared is refused, without telling it', () => {
    for (const type of [
      'string',
      'boolean',
      'int64',
      'decimal(5,2)',
      'double',
      'date',
      'time',
      'timestamptz',
      'bytes',
      'string[]',
    ])
      for (const value of ['canary', 5n, 5.5, true, Buffer.from('canary'), ['canary']] as Value[]) {
        const written = jsonText(parseFieldType(type), value)
        if (!written.ok) expect(written.reason).not.toContain('canary')
      }
    expect(jsonText({ kind: 'int64' }, '5')).toMatchObject({ ok: false, code: 'value-mistyped' })
    expect(jsonText({ kind: 'string' }, 5n)).toMatchObject({ ok: false, code: 'value-mistyped' })
    expect(jsonText({ kind: 'date' }, 'today')).toMatchObject({ ok: false, code: 'value-mistyped' })
  })
})

describe('what another system answers', () => {
  it.each<[string, string, Value | undefined]>([
    ['decimal(10,2)', '5', '5.00'],
    ['decimal(10,2)', '"05.1"', '5.10'],
    ['decimal(10,2)', '-0', '0.00'],
    ['decimal(10,2)', '5.125', undefined],
    ['int64', '"42"', 42n],
    ['int64', '4.2', undefined],
    ['timestamptz', '"2023-11-14T23:13:20+01:00"', 1_700_000_000_000_000n],
    ['timestamptz', '"yesterday"', undefined],
    ['uuid', '"6BA7B810-9DAD-11D1-80B4-00C04FD430C8"', '6ba7b810-9dad-11d1-80b4-00c04fd430c8'],
    ['boolean', '"true"', undefined],
    ['int64[]', '[1,"x"]', undefined],
    ['int64[]', '7', undefined],
  ])('of %s, %s, is read as far as it loses nothing', (type, text, value) => {
    expect(canonicalValue(parseFieldType(type), parseText(text))).toEqual(value)
  })

  it('and is no JSON is not repeated', () => {
    expect(() => parseText('canary')).toThrow(/^not JSON$/)
  })
})

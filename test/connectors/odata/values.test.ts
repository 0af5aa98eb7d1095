import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseExact } from '../../../connectors/exact-json.ts'
import { filterOf, keyOf, predicateOf } from '../../../connectors/odata/key.ts'
import { readValue, renderValue } from '../../../connectors/odata/values.ts'
import { parseFieldType, TIMESTAMP_INFINITY, type Value } from '../../../schemas/field-type.ts'
import { formatKey } from '../../../schemas/key.ts'
import { mappingOf } from './mappings.ts'

const FORMS = { dates: 'date' } as const

function thereAndBack(type: string, value: Value): Value {
  const parsed = parseFieldType(type)
  const rendered = renderValue(parsed, value, FORMS)
  if (!rendered.ok) throw new Error(rendered.code)
  return readValue('f', parsed, parseExact(rendered.json))
}

describe('values', () => {
  it('come back as they went, to the last digit', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.tuple(fc.constant('string'), fc.string({ unit: 'grapheme' })),
          fc.tuple(fc.constant('int64'), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
          fc.tuple(
            fc.constant('double'),
            fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
          ),
          fc.tuple(fc.constant('date'), fc.integer({ min: -719_162, max: 2_932_896 })),
          fc.tuple(
            fc.constant('timestamptz'),
            fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n }),
          ),
          fc.tuple(fc.constant('time'), fc.bigInt({ min: 0n, max: 86_399_999_999n })),
          fc.tuple(fc.constant('boolean'), fc.boolean()),
          fc.tuple(
            fc.constant('bytes'),
            fc.uint8Array().map((bytes) => Buffer.from(bytes)),
          ),
          fc.tuple(
            fc.constant('decimal(38,4)'),
            fc
              .tuple(fc.bigInt({ min: 1n, max: 10n ** 33n }), fc.integer({ min: 0, max: 9999 }))
              .map(([whole, part]) => `${whole}.${String(part).padStart(4, '0')}`),
          ),
        ),
        ([type, value]) => {
          const back = thereAndBack(type, value)
          // JSON has no minus zero that a reader has to keep.
          expect(Object.is(back, -0) ? 0 : back).toEqual(Object.is(value, -0) ? 0 : value)
        },
      ),
    )
  })

  it('are read with the digits that their type has, however they are written', () => {
    const read = (json: string) => readValue('f', parseFieldType('decimal(12,2)'), parseExact(json))
    expect([
      read('12'),
      read('1.5'),
      read('0.10000'),
      read('-0'),
      read('1.2e3'),
      read('125e-2'),
      read('-0.05'),
    ]).toEqual(['12.00', '1.50', '0.10', '0.00', '1200.00', '1.25', '-0.05'])
    expect(() => read('0.005')).toThrow('destination')
  })

  it('that OData has no form for are refused, not changed', () => {
    const code = (type: string, value: Value) => {
      const rendered = renderValue(parseFieldType(type), value, FORMS)
      return rendered.ok ? rendered.json : rendered.code
    }
    expect(code('numeric', 'NaN')).toBe('value-out-of-range')
    expect(code('double', Number.POSITIVE_INFINITY)).toBe('value-out-of-range')
    expect(code('timestamptz', TIMESTAMP_INFINITY)).toBe('value-out-of-range')
    expect(code('date', 2_147_483_647)).toBe('value-out-of-range')
    expect(code('time', 86_400_000_000n)).toBe('value-out-of-range')
    expect(code('string', '\ud800')).toBe('text-not-unicode')
    expect(code('string[]', ['a'])).toBe('type-unsupported')
    expect(code('int64', 'x')).toBe('value-mistyped')
  })
})

describe('keys', () => {
  const one = mappingOf('accounts', ['erp_id'], {})
  const partsOf = (mapping: typeof one, key: string) => {
    const known = keyOf(mapping, key)
    return known.ok ? known.parts : known.code
  }

  it('double an apostrophe and encode what would end the segment', () => {
    const parts = partsOf(one, "O'B/1?#% ü")
    if (typeof parts === 'string') throw new Error(parts)
    expect(predicateOf(parts)).toBe(`(erp_id='O''B%2F1%3F%23%25%20%C3%BC')`)
    expect(decodeURIComponent(filterOf(parts))).toBe(`erp_id eq 'O''B/1?#% ü'`)
  })

  it('of several parts keep their order and their types; a mapped key field has the type of its mapping', () => {
    const two = mappingOf('lines', ['order', 'line'], { line: 'int32' })
    const parts = partsOf(two, formatKey(['A', '7']))
    if (typeof parts === 'string') throw new Error(parts)
    expect(predicateOf(parts)).toBe(`(order='A',line=7)`)
    expect(partsOf(two, formatKey(['A', '7) or (1 eq 1']))).toBe('key-mistyped')
    expect(partsOf(two, 'A')).toBe('key-malformed')
  })

  it('go through the transform of their field', () => {
    const prefixed = {
      ...one,
      fields: [
        {
          to: 'erp_id',
          from: ['id'],
          type: { kind: 'string' as const },
          transform: ([id]: readonly Value[]) => `ERP-${String(id)}`,
        },
      ],
    }
    const parts = partsOf(prefixed, '1')
    expect(typeof parts === 'string' ? parts : predicateOf(parts)).toBe(`(erp_id='ERP-1')`)
  })

  it('that are empty or no text are refused', () => {
    expect(partsOf(one, '')).toBe('key-empty')
    expect(partsOf(one, '\ud800')).toBe('key-mistyped')
  })
})

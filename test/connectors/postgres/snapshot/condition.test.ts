import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { quoteLiteral } from '../../../../connectors/postgres/connection.ts'
import {
  type Condition,
  checkCondition,
  conditionSql,
  conditionsSql,
  parseCondition,
} from '../../../../connectors/postgres/snapshot/condition.ts'
import { captured, entityOf } from '../own-database.ts'

const CUSTOMER = entityOf('customer', {
  id: 'int64',
  country: 'string',
  active: 'boolean',
  credit_limit: 'decimal(12,2)',
  score: 'double',
  weight: 'numeric',
  born: 'date',
  seen: 'timestamptz',
  ref: 'uuid',
  tier: 'enum(gold,silver)',
  doc: 'json',
  tags: 'string[]',
})
const TABLE = {
  ...captured(CUSTOMER),
  columns: { ...captured(CUSTOMER).columns, country: 'Land "X"' },
  oid: 1,
  partitioned: false,
  typeNames: { ...Object.fromEntries(CUSTOMER.fields.map(({ name }) => [name, 'text'])), country: 'bpchar' },
  places: {},
}

describe('parsing', () => {
  test.each<[string, Condition]>([
    ['country=NL', { field: 'country', op: '=', value: 'NL' }],
    ['credit_limit>=1000', { field: 'credit_limit', op: '>=', value: '1000' }],
    ['  id <=-5', { field: 'id', op: '<=', value: '-5' }],
    ['country!=a=b<c', { field: 'country', op: '!=', value: 'a=b<c' }],
    ['country=', { field: 'country', op: '=', value: '' }],
    ['country= NL ', { field: 'country', op: '=', value: ' NL ' }],
    [`country='NL'`, { field: 'country', op: '=', value: 'NL' }],
    [`country="O'Brien"`, { field: 'country', op: '=', value: "O'Brien" }],
    [`country=''quoted''`, { field: 'country', op: '=', value: "'quoted'" }],
    [`country='`, { field: 'country', op: '=', value: "'" }],
    ['country=line\nbreak', { field: 'country', op: '=', value: 'line\nbreak' }],
    ['active=true', { field: 'active', op: '=', value: 'true' }],
    ['born<2024-02-29', { field: 'born', op: '<', value: '2024-02-29' }],
    ['born>0001-02-29 BC', { field: 'born', op: '>', value: '0001-02-29 BC' }],
    ['seen>=2024-02-29 12:00:00+00', { field: 'seen', op: '>=', value: '2024-02-29 12:00:00+00' }],
    ['seen<infinity', { field: 'seen', op: '<', value: 'infinity' }],
    ['tier=gold', { field: 'tier', op: '=', value: 'gold' }],
    ['weight>1e3', { field: 'weight', op: '>', value: '1e3' }],
  ])('%j is a condition', (text, condition) => {
    expect(parseCondition(text, CUSTOMER)).toEqual(condition)
  })

  test.each([
    ['country', /a field, one of = != < <= > >= and a value/],
    ['=NL', /a field, one of/],
    ['country NL', /a field, one of/],
    ['land=NL', /no field of that name. Its fields: id, country,/],
    ['id=abc', /int64: write a whole number/],
    ['id=9223372036854775808', /int64: write a whole number/],
    ['id= 1', /int64: write a whole number/],
    ['id=1.0', /int64: write a whole number/],
    ['active=t', /boolean: write true or false/],
    ['score=ten', /double: write a number/],
    ['credit_limit=1.234', /more digits after the point/],
    ['born=2023-02-29', /no such day.*2026-01-31/],
    ['born=0002-02-29 BC', /no such day/],
    ['born=2023-13-01', /no such day/],
    ['born=yesterday', /Write it like 2026-01-31/],
    ['seen=2024-01-01T00:00:00Z', /Write it like 2026-01-31 08:00:00\+00/],
    ['ref=1', /not a UUID/],
    ['tier=bronze', /none of the symbols/],
    ['doc={}', /cannot compare/],
    ['tags={a}', /cannot compare/],
    ['country=a\0b', /not text that PostgreSQL can hold/],
    ['country=\ud800', /not text that PostgreSQL can hold/],
    [`country=${'x'.repeat(4_097)}`, /4096 characters at most/],
  ])('%j is refused, saying what is right and without the value', (text, message) => {
    expect(() => parseCondition(text, CUSTOMER)).toThrow(
      expect.objectContaining({ code: 'filter-invalid', message: expect.stringMatching(message) }),
    )
  })

  test.each([
    null,
    'x',
    [],
    {},
    { field: 'country', op: 'LIKE', value: 'x' },
    { field: 'country', op: '=', value: 1 },
    { field: 1, op: '=', value: 'x' },
    { field: '__proto__', op: '=', value: 'x' },
  ])('a request of %j is no condition', (request) => {
    expect(() => checkCondition(request, CUSTOMER)).toThrow(expect.objectContaining({ code: 'filter-invalid' }))
  })

  test('a checked condition has nothing but its three parts, and survives JSON', () => {
    const condition = checkCondition({ field: 'country', op: '=', value: 'NL', sql: 'x' }, CUSTOMER)
    expect(JSON.parse(JSON.stringify(condition))).toEqual({ field: 'country', op: '=', value: 'NL' })
  })
})

describe('SQL', () => {
  test.each<[Condition, string]>([
    [{ field: 'country', op: '=', value: 'NL' }, `"Land ""X""" = 'NL'::bpchar`],
    [{ field: 'country', op: '!=', value: "'; DROP" }, `"Land ""X""" IS DISTINCT FROM '''; DROP'::bpchar`],
    [{ field: 'country', op: '=', value: "\\'" }, `"Land ""X""" =  E'\\\\'''::bpchar`],
    [{ field: 'id', op: '>=', value: '5' }, `"id" >= '5'::bigint`],
    [{ field: 'credit_limit', op: '<', value: '5' }, `"credit_limit" < '5'::numeric`],
    [{ field: 'born', op: '>', value: '2024-01-01' }, `"born" > '2024-01-01'::text`],
  ])('%j is a column, an operator and a literal', (condition, sql) => {
    expect(conditionSql(condition, TABLE)).toBe(sql)
  })

  test('several hold together', () => {
    const both = [parseCondition('country=NL', CUSTOMER), parseCondition('id>5', CUSTOMER)]
    expect(conditionsSql(both, TABLE)).toBe(`"Land ""X""" = 'NL'::bpchar AND "id" > '5'::bigint`)
  })

  test('what was not checked is not asked', () => {
    for (const one of [
      { field: 'nope', op: '=', value: '1' },
      { field: 'id', op: '= 1 OR 1', value: '1' },
    ])
      expect(() => conditionSql(one as Condition, TABLE)).toThrow(/was not checked/)
  })

  test('a literal ends where it ends: quotes and backslashes inside are doubled', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("'", '\\', 'E', ';', 'a', '\n') }), (text) => {
        const literal = quoteLiteral(text)
        const [, escaped, body] = /^( E)?'(.*)'$/s.exec(literal)!
        expect(body!.replaceAll("''", '').includes("'")).toBe(false)
        const plain = body!.replaceAll("''", "'")
        expect(escaped ? plain.replaceAll('\\\\', '\\') : plain).toBe(text)
        expect(Boolean(escaped)).toBe(text.includes('\\'))
      }),
    )
  })
})

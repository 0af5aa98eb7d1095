import { describe, expect, it } from 'vitest'
import type { ConditionalDelete } from '../../../connectors/destination.ts'
import { quoteIdentifier, quoteLiteral } from '../../../connectors/warehouse/sql-names.ts'
import { resolveTables } from '../../../connectors/warehouse/tables.ts'
import { mappingOf } from './mappings.ts'

describe('declarations that PostgreSQL or tributary could confuse are refused', () => {
  it.each([
    ['a name that would be cut', 's', [mappingOf('x'.repeat(64), {})]],
    ['a name whose archive would be cut', 's', [mappingOf('x'.repeat(60), {}, 'archive')]],
    ['an empty name', 's', [mappingOf('', {})]],
    ['an empty schema', '', [mappingOf('a', {})]],
    ['two entities on one target', 's', [mappingOf('a', {}), mappingOf('a', {})]],
    ['a target that is the archive of another', 's', [mappingOf('a', {}, 'archive'), mappingOf('a_archive', {})]],
    ['the guard table as a target', 's', [mappingOf('tributary_guard', {})]],
    ['a column under a kept name', 's', [mappingOf('a', { tributary_version: 'string' })]],
    ['a column that would be cut', 's', [mappingOf('a', { ['ü'.repeat(32)]: 'string' })]],
  ])('%s', (_, schema, mappings) => {
    expect(() => resolveTables(schema, mappings)).toThrow(expect.objectContaining({ code: 'declaration-invalid' }))
  })
})

describe('a condition that cannot be asked is refused', () => {
  const invoices = mappingOf('invoices', { customer: 'int64', status: 'string' })
  const condition = (refersBy: readonly string[], where: Readonly<Record<string, string>>): ConditionalDelete => ({
    policy: 'soft',
    while: {
      entity: 'invoice',
      target: 'invoices',
      refersBy: refersBy.map((to) => ({ to, type: { kind: 'int64' } })),
      where: Object.entries(where).map(([to, value]) => ({ to, type: { kind: 'string' }, value })),
    },
    otherwise: 'hard',
  })
  const customers = (onDelete: ConditionalDelete) => mappingOf('customers', { id: 'int64' }, onDelete)

  it.each([
    ['of a table that is not mapped', 'does not have', [customers(condition(['customer'], {}))]],
    ['by a column that is not mapped', 'invoices.cust', [invoices, customers(condition(['cust'], {}))]],
    [
      'of a column that is not mapped',
      'invoices.state',
      [invoices, customers(condition(['customer'], { state: 'x' }))],
    ],
    ['for a value that cannot be', 'U+0000', [invoices, customers(condition(['customer'], { status: '\0' }))]],
    ['by too many columns', '2 columns', [invoices, customers(condition(['customer', 'status'], {}))]],
  ])('%s', (_, says, mappings) => {
    expect(() => resolveTables('s', mappings)).toThrow(
      expect.objectContaining({ code: 'declaration-invalid', message: expect.stringContaining(says) }),
    )
  })

  it('and its archive needs a name like any other', () => {
    const long = mappingOf('x'.repeat(60), { id: 'int64' }, { ...condition(['customer'], {}), policy: 'archive' })
    expect(() => resolveTables('s', [invoices, long])).toThrow(expect.objectContaining({ code: 'declaration-invalid' }))
  })
})

it('quotes what a name or a text can hold', () => {
  expect(quoteIdentifier('a"; DROP')).toBe('"a""; DROP"')
  expect(quoteLiteral("O'Brien")).toBe("'O''Brien'")
  expect(quoteLiteral("a\\'")).toBe(" E'a\\\\'''")
})

it('tables have locks of their own', () => {
  const tables = resolveTables('s', [mappingOf('a', {}), mappingOf('b', {})])
  const other = resolveTables('t', [mappingOf('a', {})])
  expect(new Set([tables.get('a')!.lockId, tables.get('b')!.lockId, other.get('a')!.lockId]).size).toBe(3)
})

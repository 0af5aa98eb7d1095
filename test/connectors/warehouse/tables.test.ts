import { describe, expect, it } from 'vitest'
import { quoteIdentifier, quoteLiteral, resolveTables } from '../../../connectors/warehouse/tables.ts'
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

import { expect, test } from 'vitest'
import { findHolder } from '../../../ops/dead-letters/holder.ts'
import type { Declaration } from '../../../ops/declaration/declaration.ts'

const named = (...names: string[]) => new Map(names.map((name) => [name, { name }]))
const declaration = {
  name: 'shop',
  file: 'tributary.yaml',
  sources: named('erp', 'crm'),
  subscribers: named('warehouse', 'crm'),
} as unknown as Declaration

test('a source and a subscriber are found; another name is told those there are', () => {
  expect(findHolder(declaration, 'erp')).toMatchObject({ kind: 'source', source: { name: 'erp' } })
  expect(findHolder(declaration, 'warehouse')).toMatchObject({ kind: 'subscriber', subscriber: { name: 'warehouse' } })
  expect(() => findHolder(declaration, 'shop')).toThrowError(
    'There is no source or subscriber shop in tributary.yaml; sources: erp, crm; subscribers: warehouse, crm.',
  )
})

test('a name of both is the source, unless the subscriber is asked for', () => {
  expect(findHolder(declaration, 'crm')).toMatchObject({ kind: 'source' })
  expect(findHolder(declaration, 'crm', true)).toMatchObject({ kind: 'subscriber' })
  expect(() => findHolder(declaration, 'erp', true)).toThrowError(/no subscriber erp.+; subscribers: warehouse, crm/)
})

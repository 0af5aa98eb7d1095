import { expect, test } from 'vitest'
import { findHolder } from '../../../ops/dead-letters/holder.ts'
import type { Declaration } from '../../../ops/declaration/declaration.ts'

const declaration = {
  name: 'shop',
  file: 'tributary.yaml',
  sources: new Map([['erp', { name: 'erp' }]]),
  subscribers: new Map([['warehouse', { name: 'warehouse' }]]),
} as unknown as Declaration

test('a source is found; a subscriber is told where its dead letters are; another name is told those there are', () => {
  expect(findHolder(declaration, 'erp')).toMatchObject({ name: 'erp' })
  expect(() => findHolder(declaration, 'warehouse')).toThrowError(/is a subscriber.+shop\.warehouse\.dead-letter/)
  expect(() => findHolder(declaration, 'crm')).toThrowError(
    'There is no source or subscriber crm in tributary.yaml; sources: erp; subscribers: warehouse.',
  )
})

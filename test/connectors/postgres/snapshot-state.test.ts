import { expect, test } from 'vitest'
import type { CapturedTable } from '../../../connectors/postgres/captured-table.ts'
import {
  needsSnapshot,
  withoutUncaptured,
  withSnapshots,
} from '../../../connectors/postgres/snapshot/snapshot-state.ts'
import type { SourceState } from '../../../connectors/source.ts'
import { captured, entityOf } from './own-database.ts'

const EMPTY: SourceState = { epoch: 1, system: '7', snapshots: {} }
const whole = captured(entityOf('customers', { id: 'int64', name: 'string', email: 'string' }))
const less = captured(entityOf('customers', { id: 'int64', name: 'string' }))
const done = withSnapshots(EMPTY, [whole], 900n)

test('a table needs a snapshot until one is on the topic, and then no more', () => {
  expect(needsSnapshot(EMPTY, whole)).toBe(true)
  expect(needsSnapshot(done, whole)).toBe(false)
  expect(withoutUncaptured(done, [whole])).toBe(done)
})

test('a field that was taken out and comes back needs a snapshot: its changes meanwhile are not on the topic', () => {
  const without = withoutUncaptured(done, [less])
  expect(needsSnapshot(without, less)).toBe(false)
  expect(needsSnapshot(without, whole)).toBe(true)
})

test('a field that is read from another column, and an entity that is read from another table, need a snapshot', () => {
  const column: CapturedTable = { ...whole, columns: { ...whole.columns, email: 'email_2' } }
  const table: CapturedTable = { ...whole, table: { schema: 'public', name: 'clients' } }
  expect(needsSnapshot(withoutUncaptured(done, [column]), column)).toBe(true)
  expect(needsSnapshot(withoutUncaptured(done, [table]), table)).toBe(true)
})

test('an entity that is no longer captured is forgotten', () => {
  expect(withoutUncaptured(done, []).snapshots).toEqual({})
})

import { expect, test } from 'vitest'
import { createSnapshotLog } from '../../../ops/process/snapshot-log.ts'

const HOUR_MS = 3_600_000

function logged() {
  const lines: unknown[] = []
  let now = 10 * HOUR_MS
  const tell = createSnapshotLog(
    (_level, message, fields) => {
      lines.push([message, fields?.rowsDone, fields?.leftSeconds])
    },
    () => now,
  )
  const at = (afterMs: number, rowsDone: number, startedAtMs: number, done = false) => {
    now = 10 * HOUR_MS + afterMs
    tell({ source: 'erp', entity: 'customer', rowsDone, rowsEstimated: 5_000, startedAtMs, done })
  }
  return { lines, at }
}

test('what is left is told by the pace of this process, however long a snapshot was interrupted', () => {
  const { lines, at } = logged()
  at(0, 1_000, HOUR_MS)
  at(1_000, 1_100, HOUR_MS)
  at(10_000, 2_000, HOUR_MS)
  at(12_000, 5_000, HOUR_MS, true)
  expect(lines).toEqual([
    ['snapshot', 1_000, null],
    ['snapshot', 2_000, 30],
    ['snapshot done', 5_000, null],
  ])
})

test('the next snapshot of an entity is told from its own beginning', () => {
  const { lines, at } = logged()
  at(0, 0, HOUR_MS)
  at(1_000, 5_000, HOUR_MS, true)
  at(2_000, 0, 2 * HOUR_MS)
  at(7_000, 2_500, 2 * HOUR_MS)
  expect(lines.slice(2)).toEqual([
    ['snapshot', 0, null],
    ['snapshot', 2_500, 5],
  ])
})

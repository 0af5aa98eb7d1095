import { expect, test } from 'vitest'
import type { Declaration } from '../../../ops/declaration/declaration.ts'
import type { ClusterLook, PartitionLook } from '../../../ops/exporter/look.ts'
import { formatLag } from '../../../ops/lag/format.ts'
import { type LagRow, lagRows } from '../../../ops/lag/lag.ts'

const NOW_MS = 1_000_000
const declaration = {
  entities: new Map([
    ['order', { owner: 'order-desk', freshnessSeconds: 30 }],
    ['product', { owner: 'products', freshnessSeconds: 900 }],
  ]),
} as unknown as Declaration

const partition = (entity: string, waitedMs: number | null, behind = waitedMs === null ? 0n : 3n): PartitionLook => ({
  entity,
  topic: `acme.${entity}`,
  partition: 0,
  committed: 5n,
  low: 0n,
  high: 5n + behind,
  waitingSinceMs: waitedMs === null ? null : NOW_MS - waitedMs,
})

function rowsOf(members: number, ...partitions: readonly PartitionLook[]): readonly LagRow[] {
  const group = {
    groupId: 'acme.crm.critical',
    subscriber: 'crm',
    entityClass: 'critical' as const,
    members,
    partitions,
  }
  const counts = [{ entity: 'order', state: 'dead' as const, open: 2, oldestSinceMs: 0 }]
  const letters = [{ subscriber: 'crm', counts, untracked: 0 }]
  const up = { kafka: true, registry: true, redis: true }
  const look: ClusterLook = { up, groups: [group], letters, ledger: null, failures: [] }
  return lagRows(declaration, look, NOW_MS)
}

test('an entity is as late as its oldest unfinished record, and late beyond its own target', () => {
  const [first, second] = rowsOf(
    2,
    partition('product', 60_000),
    partition('order', 20_000),
    partition('order', 45_000),
  )
  expect(first).toMatchObject({ entity: 'order', state: 'late', lagSeconds: 45, targetSeconds: 30, lagRecords: 6 })
  expect(second).toMatchObject({ entity: 'product', state: 'fresh', lagSeconds: 60 })
})

test('where records wait and nobody reads, that is what is said', () => {
  expect(rowsOf(0, partition('order', 1_000))[0]).toMatchObject({ state: 'unread' })
  expect(rowsOf(0, partition('order', null))[0]).toMatchObject({ state: 'fresh' })
})

test('what compaction has taken away leaves numbers and no record that waits: it is not late', () => {
  expect(rowsOf(0, partition('order', null, 9n))[0]).toMatchObject({ state: 'fresh', lagSeconds: 0, lagRecords: 9 })
})

test('dead letters are counted where they could be, and each thing to do is said once', () => {
  const rows = rowsOf(0, partition('order', 45_000), partition('product', 1))
  expect(rows.map(({ deadLetters }) => deadLetters)).toEqual([2, null])
  const lines = formatLag(rows, ['Redis does not answer'], { colour: false })
  expect(lines.slice(0, 3)).toEqual([
    'SUBSCRIBER  ENTITY   CLASS     STATE   WAITS  TARGET  RECORDS  MEMBERS  RETRYING  DEAD',
    'crm         order    critical  unread  45 s   30 s    3        0        ?         2',
    'crm         product  critical  unread  0 s    15 min  3        0        ?         ?',
  ])
  expect(lines.filter((line) => line.includes('tributary deliver crm'))).toHaveLength(1)
  expect(lines.at(-1)).toBe('! Redis does not answer')
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100)
})

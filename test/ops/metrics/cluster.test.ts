import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ClusterLook, PartitionLook } from '../../../ops/exporter/look.ts'
import { createClusterMetrics } from '../../../ops/metrics/cluster.ts'

const NOW_MS = 1_000_000
const TARGET = { entity: 'order', class: 'critical' as const, owner: 'desk', source: 'erp', freshnessSeconds: 30 }

beforeEach(() => vi.useFakeTimers({ now: NOW_MS, toFake: ['Date'] }))
afterEach(() => vi.useRealTimers())

function partition(changes: Partial<PartitionLook>): PartitionLook {
  const all = { entity: 'order', topic: 'acme.order', partition: 0, committed: 5n, low: 0n, high: 5n }
  return { ...all, waitingSinceMs: null, ...changes }
}

function lookWith(changes: Partial<ClusterLook>): ClusterLook {
  return {
    up: { kafka: true, registry: true, redis: true },
    groups: [],
    letters: [],
    ledger: null,
    failures: [],
    ...changes,
  }
}

const groupOf = (...partitions: readonly PartitionLook[]) => ({
  groupId: 'acme.crm.critical',
  subscriber: 'crm',
  entityClass: 'critical' as const,
  members: 2,
  partitions,
})

async function lines(registry: Registry, name: string): Promise<string[]> {
  return (await registry.metrics())
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
}

function watched() {
  const registry = new Registry()
  return { registry, onLook: createClusterMetrics([registry], [TARGET]) }
}

test('before the first look nothing is told', async () => {
  const { registry } = watched()
  expect((await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([])
})

test('an entity is as late as its oldest unfinished record, and not late without one', async () => {
  const { registry, onLook } = watched()
  const behind = partition({ partition: 1, committed: 2n, waitingSinceMs: NOW_MS - 90_000 })
  const less = partition({ partition: 2, committed: 4n, waitingSinceMs: NOW_MS - 10_000 })
  const other = partition({ entity: 'invoice', topic: 'acme.invoice' })
  onLook(lookWith({ groups: [groupOf(partition({}), behind, less, other)] }))
  expect(await lines(registry, 'tributary_lag_seconds')).toEqual([
    'tributary_lag_seconds{subscriber="crm",entity="order",class="critical"} 90',
    'tributary_lag_seconds{subscriber="crm",entity="invoice",class="critical"} 0',
  ])
  expect(await lines(registry, 'kafka_consumergroup_lag')).toContain(
    'kafka_consumergroup_lag{consumergroup="acme.crm.critical",topic="acme.order",partition="1"} 3',
  )
})

test.each([
  ['a group that never committed lacks all there is', null, 10n, 25n, 15],
  ['what retention took is not waited for', 3n, 10n, 25n, 15],
  ['a topic that was made anew leaves nothing', 30n, 0n, 25n, 0],
])('%s', async (_title, committed, low, high, lag) => {
  const { registry, onLook } = watched()
  onLook(lookWith({ groups: [groupOf(partition({ committed, low, high }))] }))
  expect((await lines(registry, 'kafka_consumergroup_lag'))[0]).toMatch(new RegExp(` ${lag}$`))
  expect(await lines(registry, 'kafka_consumergroup_current_offset')).toHaveLength(committed === null ? 0 : 1)
})

test('what the next look does not see is not shown any more', async () => {
  const { registry, onLook } = watched()
  const counts = [{ entity: 'order', state: 'dead' as const, open: 2, oldestSinceMs: NOW_MS - 60_000 }]
  onLook(lookWith({ groups: [groupOf(partition({}))], letters: [{ subscriber: 'crm', counts, untracked: 0 }] }))
  expect(await lines(registry, 'tributary_dead_letters_oldest_seconds')).toEqual([
    'tributary_dead_letters_oldest_seconds{subscriber="crm",entity="order",state="dead"} 60',
  ])
  onLook(lookWith({ up: { kafka: false, registry: true, redis: true } }))
  for (const name of ['kafka_consumergroup_lag', 'tributary_lag_seconds', 'tributary_dead_letters_open'])
    expect(await lines(registry, name)).toEqual([])
  expect(await lines(registry, 'tributary_server_up')).toContain('tributary_server_up{server="kafka"} 0')
})

test('targets are told as declared, and the ledger’s server with its limit where it has one', async () => {
  const { registry, onLook } = watched()
  const ledger = { version: '7', startedAtMs: 500_400, evictedKeys: 1, usedBytes: 10, policy: 'noeviction' }
  onLook(lookWith({ ledger: { ...ledger, limitBytes: null, appendOnly: true, savesWell: true } }))
  expect(await lines(registry, 'tributary_freshness_target_seconds')).toEqual([
    'tributary_freshness_target_seconds{entity="order",class="critical",owner="desk",source="erp"} 30',
  ])
  expect(await lines(registry, 'tributary_ledger_start_time_seconds')).toEqual([
    'tributary_ledger_start_time_seconds 500',
  ])
  expect(await lines(registry, 'tributary_ledger_limit_bytes')).toEqual([])
})

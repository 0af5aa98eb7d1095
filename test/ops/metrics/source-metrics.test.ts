import { expect, it } from 'vitest'
import { createMetrics } from '../../../ops/metrics/metrics.ts'

async function lines(registry: ReturnType<typeof createMetrics>['registry']): Promise<string[]> {
  return (await registry.metrics()).split('\n').filter((line) => /^tributary_source_(?!notices|committed)/.test(line))
}

it('shows the kept log, its limit and its state, and nothing of a slot that is gone', async () => {
  const { registry, sourceObserver } = createMetrics()
  const { onSlotHealth } = sourceObserver('shop')
  onSlotHealth({ retainedBytes: 5, limitBytes: 64, walStatus: 'extended' })
  expect(await lines(registry)).toEqual([
    'tributary_source_retained_bytes{source="shop"} 5',
    'tributary_source_retained_limit_bytes{source="shop"} 64',
    'tributary_source_wal_status{source="shop",status="reserved"} 0',
    'tributary_source_wal_status{source="shop",status="extended"} 1',
    'tributary_source_wal_status{source="shop",status="unreserved"} 0',
    'tributary_source_wal_status{source="shop",status="lost"} 0',
  ])
  onSlotHealth({ retainedBytes: 5, limitBytes: null, walStatus: 'reserved' })
  expect(await lines(registry)).not.toContainEqual(expect.stringContaining('limit'))
  onSlotHealth(null)
  expect(await lines(registry)).toEqual([])
})

it('shows how long ago a heartbeat came back, growing until the next', async () => {
  const { registry, sourceObserver } = createMetrics()
  sourceObserver('shop').onHeartbeat({ heardAtMs: Date.now() - 90_000, roundTripSeconds: 0.25 })
  const [roundTrip, age] = await lines(registry)
  expect(roundTrip).toBe('tributary_source_heartbeat_round_trip_seconds{source="shop"} 0.25')
  expect(Number(age!.replace('tributary_source_heartbeat_age_seconds{source="shop"} ', ''))).toBeGreaterThanOrEqual(90)
})

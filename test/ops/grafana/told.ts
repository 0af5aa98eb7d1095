import { Buffer } from 'node:buffer'
import { CONSEQUENCES } from '../../../consumers/outcomes.ts'
import { createMetrics, type Metrics } from '../../../ops/metrics/metrics.ts'

/*
 * A pipeline of which everything is told that there is to tell: the figures of a process that captures, delivers and looks.
 */

export const LAG_SECONDS = 90
export const RECORDS_BEHIND = 7
export const OPEN_LETTERS = 3

const HOUR_MS = 3_600_000
const VERSION = { epoch: 1n, position: 1n, ordinal: 0 }
const SOURCE = {
  system: 'postgres',
  instance: 'erp',
  object: 'public.orders',
  position: '0/1',
  transaction: null,
  committedAt: 0n,
  capturedAt: 0n,
}

export function createTold(): Metrics {
  const targets = [
    { entity: 'order', class: 'critical' as const, owner: 'order-desk', source: 'erp', freshnessSeconds: 30 },
    { entity: 'product', class: 'standard' as const, owner: 'products', source: 'erp', freshnessSeconds: 900 },
  ]
  return createMetrics({ targets, readParts: () => ({ 'capture erp': true, 'deliver crm critical': false }) })
}

/** Everything happens once more. */
export function tellMore(metrics: Metrics): void {
  tellOfCapture(metrics)
  for (const entity of ['order', 'product']) tellOfDelivery(metrics, entity)
  tellOfPipeline(metrics)
}

function tellOfCapture({ captureObserver, sourceObserver, snapshotProgress }: Metrics): void {
  const committedAt = BigInt(Date.now() - 40) * 1_000n
  const capture = captureObserver()
  const records = [Buffer.from('1'), null].map((value) => ({ topic: 'acme.order', key: '1', value, headers: {} }))
  capture.published({ source: 'erp', records, bytes: 100, committedAt, sendMs: 3 })
  capture.unencodable('erp', {
    entity: 'order',
    key: '1',
    version: VERSION,
    source: SOURCE,
    field: 'total',
    reason: 'NaN',
  })
  capture.restarted('erp', new Error('away'))
  const observer = sourceObserver('erp')
  observer.onSlotHealth({ retainedBytes: 60, limitBytes: 100, walStatus: 'extended' })
  observer.onHeartbeat({ heardAtMs: Date.now(), roundTripSeconds: 0.02 })
  observer.onNotice('slot-created')
  snapshotProgress({ source: 'erp', entity: 'order', rowsDone: 5, rowsEstimated: 10, startedAtMs: 0, done: false })
}

function tellOfDelivery({ deliveryObserver }: Metrics, entity: string): void {
  const delivery = deliveryObserver('crm')
  const entityClass = entity === 'order' ? 'critical' : 'standard'
  const applied = { entity, key: '1', version: VERSION, op: 'update' as const, fields: { name: 'x' }, latencyMs: 40 }
  delivery.received(entity, 9)
  delivery.coalesced(entity, 1)
  for (const reason of ['duplicate', 'stale', 'unchanged'] as const) delivery.gated(entity, reason, 1)
  for (const full of [true, false]) delivery.applied({ ...applied, full })
  for (const outcome of Object.keys(CONSEQUENCES)) if (outcome !== 'applied') delivery.answered(entity, outcome)
  delivery.deadLettered(entity, 'rejected')
  delivery.retried(entity)
  delivery.breaker(entityClass, entityClass === 'critical' ? 'open' : 'closed')
  delivery.load(entityClass, { requests: 2, requestsMax: 8, parkedKeys: new Map([[entity, 1]]) })
  delivery.batch(entity, 9, 2, 30)
}

function tellOfPipeline({ captureObserver, clusterLook }: Metrics): void {
  const since = BigInt(Date.now() - HOUR_MS) * 1_000n
  captureObserver().deadLetters('erp', {
    counts: () => [{ entity: 'order', open: 2, oldestSince: since }],
    untracked: 0,
  })
  const partition = {
    entity: 'order',
    topic: 'acme.order',
    partition: 0,
    low: 0n,
    committed: 3n,
    high: 3n + BigInt(RECORDS_BEHIND),
  }
  const late = { ...partition, waitingSinceMs: Date.now() - LAG_SECONDS * 1_000 }
  const fresh = {
    ...partition,
    entity: 'product',
    topic: 'acme.product',
    committed: 9n,
    high: 9n,
    waitingSinceMs: null,
  }
  const group = { subscriber: 'crm', members: 2 }
  const states = ['dead', 'retrying'] as const
  const counts = states.map((state) => ({
    entity: 'order',
    state,
    open: OPEN_LETTERS,
    oldestSinceMs: Date.now() - HOUR_MS,
  }))
  const ledger = { version: '8', startedAtMs: Date.now() - HOUR_MS, evictedKeys: 0, usedBytes: 10, limitBytes: 100 }
  clusterLook({
    up: { kafka: true, registry: true, redis: false },
    groups: [
      { ...group, groupId: 'acme.crm.critical', entityClass: 'critical', partitions: [late] },
      { ...group, groupId: 'acme.crm.standard', entityClass: 'standard', partitions: [fresh] },
    ],
    letters: [{ subscriber: 'crm', counts, untracked: 0 }],
    ledger: { ...ledger, policy: 'noeviction', appendOnly: true, savesWell: true },
    failures: [],
  })
}

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { HeartbeatHeard } from '../../connectors/postgres/slot/heartbeat.ts'
import type { SlotHealth } from '../../connectors/postgres/slot/watch.ts'
import { BREAKER_STATES } from '../../consumers/health/breaker.ts'
import type { DeliveryObserver } from '../../consumers/observer.ts'
import type { CaptureObserver } from '../../producers/observer.ts'
import { createOpenDeadLetterGauges } from './dead-letters.ts'

/** From seconds to hours, with enough below a second to see what is normal. */
const LATENCY_BUCKETS_SECONDS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 7200, 21600,
]
const REQUEST_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** The metrics of one process, in base units and without ids in labels. */
export interface Metrics {
  readonly registry: Registry
  captureObserver(): CaptureObserver
  sourceObserver(source: string): SourceObserver
  deliveryObserver(subscriber: string): DeliveryObserver
}

/** What a source tells of its slot while capture runs. */
export interface SourceObserver {
  /** After each look at the slot; null while there is none. */
  readonly onSlotHealth: (health: SlotHealth | null) => void
  /** A heartbeat came back. */
  readonly onHeartbeat: (heard: HeartbeatHeard) => void
}

/** @param readParts which parts of the process work, at every scrape: name → whether it does */
export function createMetrics(readParts: () => Readonly<Record<string, boolean>> = () => ({})): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const published = new Counter({
    name: 'tributary_capture_records_total',
    help: 'Records acknowledged by Kafka, by topic.',
    labelNames: ['source', 'topic'],
    registers,
  })
  const publishedBytes = new Counter({
    name: 'tributary_capture_bytes_total',
    help: 'Bytes of the records acknowledged by Kafka.',
    labelNames: ['source'],
    registers,
  })
  const sendSeconds = new Histogram({
    name: 'tributary_capture_send_seconds',
    help: 'Time for one send to Kafka.',
    labelNames: ['source'],
    buckets: REQUEST_BUCKETS_SECONDS,
    registers,
  })
  const publishLatency = new Histogram({
    name: 'tributary_capture_latency_seconds',
    help: 'From the commit at the source until Kafka has it, for the newest change of each send.',
    labelNames: ['source'],
    buckets: LATENCY_BUCKETS_SECONDS,
    registers,
  })
  const unencodable = new Counter({
    name: 'tributary_capture_dead_letters_total',
    help: 'Changes that could not be encoded.',
    labelNames: ['source', 'entity'],
    registers,
  })
  const restarts = new Counter({
    name: 'tributary_capture_restarts_total',
    help: 'Times capture began again after an error.',
    labelNames: ['source'],
    registers,
  })
  const openDeadLetters = createOpenDeadLetterGauges(registers)
  const sourceObserver = createSourceMetrics(registers)
  const delivery = createDeliveryMetrics(registers)
  new Gauge({
    name: 'tributary_part_up',
    help: '1 while this capture or this class of a delivery works, 0 while it is starting, cut off or stopped.',
    labelNames: ['part'],
    registers,
    collect() {
      for (const [part, isUp] of Object.entries(readParts())) this.set({ part }, isUp ? 1 : 0)
    },
  })

  return {
    registry,
    captureObserver: () => ({
      published({ source, records, bytes, committedAt, sendMs }) {
        const counts = new Map<string, number>()
        for (const { topic } of records) counts.set(topic, (counts.get(topic) ?? 0) + 1)
        for (const [topic, count] of counts) published.inc({ source, topic }, count)
        publishedBytes.inc({ source }, bytes)
        sendSeconds.observe({ source }, sendMs / 1000)
        if (committedAt !== null)
          publishLatency.observe({ source }, Math.max(0, Date.now() / 1000 - Number(committedAt) / 1e6))
      },
      unencodable: (source, { entity }) => unencodable.inc({ source, entity }),
      deadLetters: openDeadLetters,
      restarted: (source) => restarts.inc({ source }),
    }),
    sourceObserver,
    deliveryObserver: delivery,
  }
}

/** As the server calls them (pg_replication_slots.wal_status), the best first. */
const WAL_STATUSES = ['reserved', 'extended', 'unreserved', 'lost'] as const

function createSourceMetrics(registers: Registry[]): (source: string) => SourceObserver {
  const heardAtMs = new Map<string, number>()
  const gauge = (name: string, help: string, ...labels: string[]) =>
    new Gauge({ name, help, labelNames: ['source', ...labels], registers })
  const retained = gauge('tributary_source_retained_bytes', 'Log that the source keeps because of our slot.')
  const limit = gauge('tributary_source_retained_limit_bytes', 'What it keeps at most before it gives the slot up.')
  const walStatus = gauge('tributary_source_wal_status', '1 for the state that the log of our slot is in.', 'status')
  const roundTrip = gauge('tributary_source_heartbeat_round_trip_seconds', 'What the last heartbeat took to come back.')
  new Gauge({
    name: 'tributary_source_heartbeat_age_seconds',
    help: 'Time since a heartbeat last came back through the slot.',
    labelNames: ['source'],
    registers,
    collect() {
      for (const [source, at] of heardAtMs) this.set({ source }, Math.max(0, (Date.now() - at) / 1000))
    },
  })
  return (source) => ({
    onSlotHealth(health) {
      if (health === null) {
        retained.remove({ source })
        for (const status of WAL_STATUSES) walStatus.remove({ source, status })
      } else {
        retained.set({ source }, health.retainedBytes)
        for (const status of WAL_STATUSES) walStatus.set({ source, status }, status === health.walStatus ? 1 : 0)
      }
      if (health === null || health.limitBytes === null) limit.remove({ source })
      else limit.set({ source }, health.limitBytes)
    },
    onHeartbeat(heard) {
      heardAtMs.set(source, heard.heardAtMs)
      roundTrip.set({ source }, heard.roundTripSeconds)
    },
  })
}

function createDeliveryMetrics(registers: Registry[]): (subscriber: string) => DeliveryObserver {
  const counter = (name: string, help: string, ...labels: string[]) =>
    new Counter({ name, help, labelNames: ['subscriber', 'entity', ...labels], registers })
  const received = counter('tributary_records_received_total', 'Records read from the topics.')
  const coalesced = counter('tributary_records_coalesced_total', 'Records that became one with another of their key.')
  const gated = counter('tributary_records_gated_total', 'Records that needed no request.', 'reason')
  const patches = counter('tributary_patches_total', 'Patches that took effect.', 'op', 'full')
  const fields = counter('tributary_patched_fields_total', 'Fields in the patches that took effect.')
  const answers = counter('tributary_answers_total', 'Answers of the subscriber other than applied.', 'outcome')
  const deadLetters = counter('tributary_dead_letters_total', 'Records given up to the dead-letter topic.', 'code')
  const retries = counter('tributary_retries_total', 'Records that failed by themselves and are tried again.')
  const breakers = new Gauge({
    name: 'tributary_breaker_state',
    help: '1 for the state of the breaker: closed, open (the subscriber is down) or probing.',
    labelNames: ['subscriber', 'class', 'state'],
    registers,
  })
  const latency = new Histogram({
    name: 'tributary_sync_latency_seconds',
    help: 'From the commit at the source until the patch took effect at the subscriber.',
    labelNames: ['subscriber', 'entity'],
    buckets: LATENCY_BUCKETS_SECONDS,
    registers,
  })
  const lag = new Gauge({
    name: 'tributary_lag_records',
    help: 'Records that are read and not finished, or not read yet, by partition held here.',
    labelNames: ['subscriber', 'entity', 'partition'],
    registers,
  })
  const ledgerSeconds = new Histogram({
    name: 'tributary_ledger_seconds',
    help: 'Time in the ledger for one batch: gate and settle.',
    labelNames: ['subscriber', 'entity'],
    buckets: REQUEST_BUCKETS_SECONDS,
    registers,
  })
  const applySeconds = new Histogram({
    name: 'tributary_apply_seconds',
    help: 'Time at the subscriber for one batch.',
    labelNames: ['subscriber', 'entity'],
    buckets: REQUEST_BUCKETS_SECONDS,
    registers,
  })
  return (subscriber) => ({
    received: (entity, records) => received.inc({ subscriber, entity }, records),
    coalesced: (entity, records) => coalesced.inc({ subscriber, entity }, records),
    gated: (entity, reason, records) => gated.inc({ subscriber, entity, reason }, records),
    applied: ({ entity, op, full, fields: sent, latencyMs }) => {
      patches.inc({ subscriber, entity, op, full: String(full) })
      fields.inc({ subscriber, entity }, Object.keys(sent).length)
      // A snapshot row was committed at some time before; only a change has a latency.
      if (op !== 'snapshot') latency.observe({ subscriber, entity }, Math.max(0, latencyMs / 1000))
    },
    answered: (entity, outcome) => answers.inc({ subscriber, entity, outcome }),
    deadLettered: (entity, code) => deadLetters.inc({ subscriber, entity, code }),
    retried: (entity) => retries.inc({ subscriber, entity }),
    breaker(entityClass, now) {
      for (const state of BREAKER_STATES) breakers.set({ subscriber, class: entityClass, state }, state === now ? 1 : 0)
    },
    lag: (entity, partition, records) => lag.set({ subscriber, entity, partition }, records),
    batch: (entity, _records, ledgerMs, applyMs) => {
      ledgerSeconds.observe({ subscriber, entity }, ledgerMs / 1000)
      applySeconds.observe({ subscriber, entity }, applyMs / 1000)
    },
  })
}

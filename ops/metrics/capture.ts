import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { SnapshotProgress } from '../../connectors/source.ts'
import type { CaptureObserver } from '../../producers/observer.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { LATENCY_BUCKETS_SECONDS, REQUEST_BUCKETS_SECONDS } from './buckets.ts'
import { createOpenDeadLetterGauges } from './dead-letters.ts'

export function createCaptureMetrics(registers: Registry[]): () => CaptureObserver {
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name, help, labelNames: ['source', ...labelNames], registers })
  const published = counter(
    'tributary_capture_records_total',
    'Records acknowledged by Kafka, by topic and by whether they delete.',
    'topic',
    'op',
  )
  const publishedBytes = counter('tributary_capture_bytes_total', 'Bytes of the records acknowledged by Kafka.')
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
  const newestCommit = new Gauge({
    name: 'tributary_source_committed_timestamp_seconds',
    help: 'When the newest change that is published was committed at the source, in seconds since 1970.',
    labelNames: ['source'],
    registers,
  })
  const unencodable = counter('tributary_capture_dead_letters_total', 'Changes that could not be encoded.', 'entity')
  const restarts = counter('tributary_capture_restarts_total', 'Times capture began again after an error.', 'code')
  const openDeadLetters = createOpenDeadLetterGauges(registers)
  return () => ({
    published({ source, records, bytes, committedAt, sendMs }) {
      const counts = new Map<string, { upsert: number; delete: number }>()
      for (const { topic, value } of records) {
        const count = counts.get(topic) ?? { upsert: 0, delete: 0 }
        count[value === null ? 'delete' : 'upsert']++
        counts.set(topic, count)
      }
      for (const [topic, count] of counts)
        for (const op of ['upsert', 'delete'] as const)
          if (count[op] > 0) published.inc({ source, topic, op }, count[op])
      publishedBytes.inc({ source }, bytes)
      sendSeconds.observe({ source }, sendMs / 1000)
      if (committedAt === null) return
      const committedAtSeconds = Number(committedAt) / 1e6
      newestCommit.set({ source }, committedAtSeconds)
      publishLatency.observe({ source }, Math.max(0, Date.now() / 1000 - committedAtSeconds))
    },
    unencodable: (source, { entity }) => unencodable.inc({ source, entity }),
    deadLetters: openDeadLetters,
    restarted: (source, error) =>
      restarts.inc({ source, code: error instanceof TributaryError ? error.code : 'unknown' }),
  })
}

export function createSnapshotMetrics(registers: Registry[]): (progress: SnapshotProgress) => void {
  const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames: ['source', 'entity'], registers })
  const running = gauge('tributary_snapshot_running', '1 while a snapshot of the entity is being read.')
  const rowsDone = gauge('tributary_snapshot_rows_done', 'Rows that the latest snapshot has read.')
  const rowsEstimated = gauge('tributary_snapshot_rows_estimated', 'Rows that it may have to read.')
  return ({ source, entity, done, rowsDone: read, rowsEstimated: estimated }) => {
    running.set({ source, entity }, done ? 0 : 1)
    rowsDone.set({ source, entity }, read)
    rowsEstimated.set({ source, entity }, estimated)
  }
}

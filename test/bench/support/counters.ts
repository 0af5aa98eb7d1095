import type { OutgoingRecord } from '../../../connectors/kafka/producer.ts'
import type { DeliveryObserver } from '../../../consumers/observer.ts'
import type { CaptureObserver } from '../../../producers/observer.ts'
import { valueSubject } from '../../../schemas/avro.ts'
import { createDeltaDecoder } from '../../../schemas/codec.ts'
import { isFence } from '../../../schemas/fence.ts'
import type { Registry } from '../../../schemas/registry.ts'
import type { PipelineReport, Samples } from './messages.ts'

/** Counts what a process captures and delivers. */
export interface Counters {
  readonly capture: CaptureObserver
  readonly delivery: DeliveryObserver
  report(): PipelineReport
  takeSamples(): Samples
}

/** @param entityTopic the one topic whose records count */
export function createCounters(registry: Registry, entityTopic: string, keepSamples: boolean): Counters {
  const capture = { records: 0, bytes: 0, firstReadAtMs: null as number | null, lastAckedAtMs: null as number | null }
  const delivery = {
    received: 0,
    receivedAtMs: null as number | null,
    coalesced: 0,
    stale: 0,
    unchanged: 0,
    patches: 0,
    fullPatches: 0,
    fields: 0,
    otherAnswers: {} as Record<string, number>,
    deadLetters: 0,
    batches: 0,
    settled: 0,
    ledgerMs: 0,
    applyMs: 0,
    settledAtMs: null as number | null,
  }
  const lags = new Map<number, number>()
  /** How many had been received at the last look at the offsets. */
  let receivedAtLook = 0
  let keys: string[] = []
  let latencyMs: number[] = []
  let cpuBefore = process.cpuUsage()

  /** A delta says when it was read from the log; the first one, when the streaming began. */
  const readFirst = async ({ topic, key, value }: OutgoingRecord) => {
    const delta = await createDeltaDecoder(registry).decode(valueSubject(topic), key, value!)
    capture.firstReadAtMs = Number(delta.source.capturedAt / 1000n)
  }

  return {
    capture: {
      published({ records }) {
        const ours = records.filter((record) => record.topic === entityTopic && !isFence(record))
        if (ours.length === 0) return
        if (capture.records === 0) {
          cpuBefore = process.cpuUsage()
          void readFirst(ours[0]!)
        }
        capture.records += ours.length
        capture.lastAckedAtMs = Date.now()
        for (const record of ours) capture.bytes += recordBytes(record)
      },
      unencodable: () => delivery.deadLetters++,
      deadLetters: () => {},
      restarted: () => {},
    },
    delivery: {
      received(_entity, records) {
        if (delivery.received === 0) {
          delivery.receivedAtMs = Date.now()
          cpuBefore = process.cpuUsage()
        }
        delivery.received += records
      },
      coalesced: (_entity, records) => {
        delivery.coalesced += records
      },
      gated(_entity, reason, records) {
        delivery[reason === 'unchanged' ? reason : 'stale'] += records
      },
      applied({ key, full, fields, latencyMs: latency }) {
        delivery.patches++
        if (full) delivery.fullPatches++
        delivery.fields += Object.keys(fields).length
        if (!keepSamples) return
        keys.push(key)
        latencyMs.push(latency)
      },
      answered(_entity, outcome) {
        delivery.otherAnswers[outcome] = (delivery.otherAnswers[outcome] ?? 0) + 1
      },
      deadLettered: () => delivery.deadLetters++,
      retried: () => {},
      breaker: () => {},
      lag(_entity, partition, records) {
        lags.set(partition, records ?? 0)
        receivedAtLook = delivery.received
      },
      load: () => {},
      batch(_entity, changes, ledgerMs, applyMs) {
        delivery.batches++
        delivery.settled += changes
        delivery.ledgerMs += ledgerMs
        delivery.applyMs += applyMs
        delivery.settledAtMs = Date.now()
      },
    },
    report() {
      const { user, system } = process.cpuUsage(cpuBefore)
      const seen = lags.values().reduce((sum, records) => sum + records, 0)
      // What came since the last look is not known to be finished.
      const lag = seen + delivery.received - receivedAtLook
      return {
        capture: { ...capture },
        delivery: { ...delivery, otherAnswers: { ...delivery.otherAnswers }, lag },
        cpuSeconds: (user + system) / 1e6,
        maxRssBytes: process.resourceUsage().maxRSS * 1024,
      }
    },
    takeSamples() {
      const samples = { keys, latencyMs }
      keys = []
      latencyMs = []
      return samples
    },
  }
}

function recordBytes({ key, value, headers }: OutgoingRecord): number {
  let bytes = key.length + (value?.length ?? 0)
  for (const name in headers) bytes += name.length + headers[name]!.length
  return bytes
}

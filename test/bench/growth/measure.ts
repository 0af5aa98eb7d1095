import { SUBSCRIBER } from '../support/bench-pipeline.ts'
import type { Child } from '../support/child.ts'
import type { PipelineReport } from '../support/messages.ts'
import { type BenchRun, isDrained, startCapture, startDelivery } from '../support/run.ts'
import { percentiles, round } from '../support/statistics.ts'
import { watchWarehouse } from '../support/watch-warehouse.ts'
import { countDifferences, makeChanges } from '../support/workload.ts'
import { type Mark, type Point, steadyRate, type Work } from './axes.ts'
import type { Measured } from './figures.ts'
import type { LedgerSize } from './ledger-size.ts'

/** A pipeline whose rows are delivered, for all points that differ in the size of the ledger alone. */
export interface Stage {
  readonly run: BenchRun
  /** Where that is what is measured. */
  readonly ledger: LedgerSize | null
  /** Of its next change: one that was made before would change nothing. */
  nextNumber: number
}

const POINT_MS_MAX = 90_000
const WARM_UP_SECONDS = 3
const SETTLE_MS_MAX = 30_000
const MEGABYTE = 2 ** 20

/**
 * A backlog of changes is captured, then delivered to all subscribers side by side, each process alone with its work as far as two cores
 * allow; then a load at a fixed rate gives the latency of the first subscriber. In the end every row of each subscriber is compared.
 * @throws Error when a row differs or the point takes too long: its figures are void
 */
export async function measurePoint(stage: Stage, point: Point, work: Work, what: string): Promise<Measured> {
  const { run, ledger } = stage
  const { pipeline, progress } = run
  const { flow, subscribers } = pipeline
  const { rows, changes, rate, seconds } = work
  if (ledger !== null) {
    progress.step(`${what}: a ledger of ${point.keys.toLocaleString('en')} keys`)
    await ledger.resize(point.keys)
  }
  const deadline = performance.now() + POINT_MS_MAX
  const update = (done: number, of: number) => {
    if (performance.now() > deadline) throw new Error(`it took longer than ${POINT_MS_MAX / 1000} s`)
    progress.update(done, of)
  }
  const numbers = (count: number) => {
    const first = stage.nextNumber
    stage.nextNumber += count
    return first
  }

  progress.step(`${what}: making ${changes.toLocaleString('en')} changes`)
  await makeChanges(flow.source, { first: numbers(changes), count: changes, keys: rows, transactionRows: 1 }, (done) =>
    update(done, changes),
  )
  progress.step(`${what}: capture`)
  const capture = startCapture(run, true)
  const captured = await drainCapture(capture, changes, update)
  progress.step(`${what}: deliver`)
  const deliveries = subscribers.map(({ name }) => startDelivery(run, false, name))
  const delivered = await drainDeliveries(deliveries, changes, update)

  progress.step(`${what}: ${rate} changes a second`)
  const watch = await watchWarehouse(flow.warehouse)
  const send = (seconds: number) =>
    watch.measure(flow.source, { rate, seconds, keys: rows, first: numbers(rate * seconds) }, SETTLE_MS_MAX)
  await send(WARM_UP_SECONDS)
  const { dueToSeenMs, dueToEndMs } = await send(seconds)
  const { p50, p99 } = percentiles([...dueToSeenMs, ...dueToEndMs])
  await watch.stop()

  progress.step(`${what}: comparing every row`)
  await untilEqual(run, update)
  const figures = {
    ...captured,
    ...delivered,
    p50Ms: p50,
    p99Ms: p99,
    deliverMb: round(Math.max(...deliveries.map(({ report }) => report!.maxRssBytes)) / MEGABYTE),
    captureMb: round(capture.report!.maxRssBytes / MEGABYTE),
    ...(ledger === null
      ? {}
      : { ledgerMb: round(await ledger.memoryMb()), listSeconds: round(await ledger.listSeconds()) }),
  }
  await Promise.all([capture, ...deliveries].map((child) => child.stop()))
  return figures
}

type Update = (done: number, of: number) => void

async function drainCapture(child: Child<PipelineReport>, changes: number, update: Update): Promise<Measured> {
  const marks: Mark[] = []
  const { capture, cpuSeconds } = await child.until(
    (report) => report.capture.records >= changes && report.capture.firstReadAtMs !== null,
    ({ capture: { records, lastAckedAtMs } }) => {
      update(records, changes)
      if (lastAckedAtMs !== null) marks.push({ atMs: lastAckedAtMs, done: records })
    },
  )
  return {
    capturePerSecond: round(steadyRate(capture.firstReadAtMs!, marks)),
    captureCpuMicros: round((cpuSeconds / capture.records) * 1e6),
    bytesPerRecord: round(capture.bytes / capture.records),
  }
}

async function drainDeliveries(
  children: readonly Child<PipelineReport>[],
  changes: number,
  update: Update,
): Promise<Measured> {
  const marks: Mark[] = []
  const reports = () => children.flatMap(({ report }) => (report === null ? [] : [report]))
  const sum = (figure: (report: PipelineReport) => number) => reports().reduce((total, one) => total + figure(one), 0)
  const look = () => {
    update(
      sum(({ delivery }) => delivery.received),
      changes * children.length,
    )
    const settledAt = reports().flatMap(({ delivery: { settledAtMs } }) => settledAtMs ?? [])
    if (settledAt.length > 0)
      marks.push({ atMs: Math.max(...settledAt), done: sum(({ delivery }) => delivery.settled) })
  }
  await Promise.all(children.map((child) => child.until((report) => isDrained(report, changes), look)))
  const startedAtMs = Math.min(...reports().flatMap(({ delivery: { receivedAtMs } }) => receivedAtMs ?? []))
  const received = sum(({ delivery }) => delivery.received)
  const settled = sum(({ delivery }) => delivery.settled)
  const batches = sum(({ delivery }) => delivery.batches)
  return {
    // What is settled is counted after coalescing.
    deliverPerSecond: round((steadyRate(startedAtMs, marks) * received) / settled),
    deliverCpuMicros: round((sum(({ cpuSeconds }) => cpuSeconds) / received) * 1e6),
    coalescedShare: round(sum(({ delivery }) => delivery.coalesced) / received),
    patchesPerBatch: round(sum(({ delivery }) => delivery.patches) / batches),
    ledgerMsPerBatch: round(sum(({ delivery }) => delivery.ledgerMs) / batches),
    applyMsPerBatch: round(sum(({ delivery }) => delivery.applyMs) / batches),
  }
}

/** The last of the changes may still be on their way. */
async function untilEqual({ pipeline }: BenchRun, update: Update): Promise<void> {
  const { flow, shape, subscribers } = pipeline
  const deadline = performance.now() + SETTLE_MS_MAX
  for (const { name, table } of subscribers) {
    for (;;) {
      const differences = await countDifferences(flow.source, flow.warehouse, { shape, table })
      if (differences === 0) break
      update(0, 1)
      if (performance.now() > deadline)
        throw new Error(`${differences} rows differ at ${name === SUBSCRIBER ? 'the warehouse' : name}`)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }
}

const POLL_MS = 500

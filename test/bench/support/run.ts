import { openDestination } from '../../../ops/process/delivery.ts'
import type { BenchPipeline } from './bench-pipeline.ts'
import { SOURCE, SUBSCRIBER } from './bench-pipeline.ts'
import { type Child, startBareReader, startPipeline } from './child.ts'
import type { BareReport, PipelineReport } from './messages.ts'
import type { Progress } from './progress.ts'
import { insertRows } from './workload.ts'

/** What one run of a benchmark works with. */
export interface BenchRun {
  readonly pipeline: BenchPipeline
  readonly progress: Progress
  readonly profileFolder: string | undefined
}

export function startCapture({ pipeline, profileFolder }: BenchRun, profiled: boolean): Child<PipelineReport> {
  const order = { file: pipeline.flow.file, sources: [SOURCE], subscribers: [], samples: false }
  return startPipeline(order, { env: pipeline.flow.env, profileFolder: profiled ? profileFolder : undefined })
}

export function startDelivery(
  { pipeline, profileFolder }: BenchRun,
  samples: boolean,
  subscriber = SUBSCRIBER,
): Child<PipelineReport> {
  const order = { file: pipeline.flow.file, sources: [], subscribers: [subscriber], samples }
  return startPipeline(order, { env: pipeline.flow.env, profileFolder })
}

/** What one drain of a backlog measured. */
export interface Drain {
  readonly recordsPerSecond: number
  readonly cpuSeconds: number
  readonly maxRssMb: number
}

/**
 * Whether a process has received and finished a backlog. Its lag alone does not tell: before anything is finished, there is no offset to
 * measure it from.
 */
export function isDrained({ delivery }: PipelineReport, records: number): boolean {
  const { received, settled, coalesced, stale, lag } = delivery
  return received >= records && settled + coalesced + stale >= records && lag === 0
}

/** Reads `rows` rows from where a slot stands, without moving it, and throws them away. */
export async function drainBare(run: BenchRun, slot: string, rows: number): Promise<Drain> {
  const { flow, publication } = run.pipeline
  const order = { url: flow.sourceUrl, slot, publication, rows }
  const child = startBareReader(order, { env: flow.env, profileFolder: undefined })
  const done = await child.until(
    (report: BareReport) => report.rows >= rows,
    (report) => run.progress.update(report.rows, rows),
  )
  await child.stop()
  return drainOf(done, done.rows, done.lastReadAtMs! - done.firstReadAtMs!)
}

export function drainOf(report: BareReport | PipelineReport, records: number, ms: number): Drain {
  return {
    recordsPerSecond: records / (ms / 1000),
    cpuSeconds: report.cpuSeconds,
    maxRssMb: report.maxRssBytes / 2 ** 20,
  }
}

/** Waits until the stored state says that the snapshot is whole, which capture publishes after its rows. */
export async function captureSnapshot(run: BenchRun, capture: Child<PipelineReport>, rows: number): Promise<void> {
  await capture.until(
    (report) => report.capture.records >= rows,
    (report) => run.progress.update(report.capture.records, rows),
  )
}

/** So many rows come first: enough that every partition has some. */
const SEED_ROWS = 500

/**
 * Fills the source and the warehouse, so that the ledger is certain of nearly every key: patches are then of differences. A ledger
 * that has only begun takes every key as uncertain until no request of an owner before it could still land, so a few rows go first,
 * and the others when that time is over.
 */
export async function fillWarehouse(
  run: BenchRun,
  capture: Child<PipelineReport>,
  deliveries: readonly Child<PipelineReport>[],
  rows: number,
): Promise<void> {
  const { flow } = run.pipeline
  const seed = seedRows(rows)
  const delivered = async (count: number) => {
    const all = deliveries.map((delivery) =>
      delivery.until(
        (report) => report.delivery.patches >= count && report.delivery.lag === 0,
        (report) => run.progress.update(report.delivery.patches, count),
      ),
    )
    await Promise.all(all)
  }
  run.progress.step(`Delivering the first ${seed} rows`)
  await captureSnapshot(run, capture, seed)
  await delivered(seed)
  const destination = openDestination(flow.declaration().subscribers.get(SUBSCRIBER)!)
  const waitMs = destination.lateRequestMs + LATE_MARGIN_MS
  await destination.close()
  run.progress.step(`Waiting ${Math.round(waitMs / 1000)} s until the ledger is certain`)
  await new Promise((resolve) => setTimeout(resolve, waitMs))
  run.progress.step(`Delivering ${rows.toLocaleString('en')} rows`)
  await insertRows(flow.source, seed + 1, rows)
  await delivered(rows)
}

export function seedRows(rows: number): number {
  return Math.min(SEED_ROWS, rows)
}

const LATE_MARGIN_MS = 1_000

import { type BenchRun, fillWarehouse, seedRows, startCapture, startDelivery } from './support/run.ts'
import { percentiles, round } from './support/statistics.ts'
import { watchWarehouse } from './support/watch-warehouse.ts'
import { countDifferences, insertRows } from './support/workload.ts'

export interface LatencyOptions {
  readonly rate: number
  readonly seconds: number
  /** Rows that the changes are spread over. */
  readonly rows: number
}

const WARM_UP_SECONDS = 5
const SETTLE_MS_MAX = 30_000

/**
 * Latency at a steady rate that does not wait for answers, with capture and deliver as processes of their own. Two measures that share
 * nothing but the machine's clock: what the pipeline says of each patch (from the commit at the source to the warehouse's answer), and what
 * a listener at the warehouse sees (from when the change was due, the source's own commit included).
 */
export async function benchLatency(run: BenchRun, { rate, seconds, rows }: LatencyOptions) {
  const { progress, pipeline } = run
  const { flow } = pipeline
  await insertRows(flow.source, 1, seedRows(rows))
  const capture = startCapture(run, true)
  const delivery = startDelivery(run, true)
  await fillWarehouse(run, capture, [delivery], rows)
  const watch = await watchWarehouse(flow.warehouse)
  const send = (seconds: number, first: number) =>
    watch.measure(flow.source, { rate, seconds, keys: rows, first }, SETTLE_MS_MAX, (changes) =>
      progress.update(changes, rate * seconds),
    )
  progress.step(`Warming up for ${WARM_UP_SECONDS} s`)
  await send(WARM_UP_SECONDS, 1)
  await delivery.samples()
  const { patches: patchesBefore, coalesced: coalescedBefore } = delivery.report!.delivery

  progress.step(`${rate.toLocaleString('en')} changes a second for ${seconds} s`)
  const { dueToSeenMs, commitToSeenMs, dueToEndMs, reachedRate } = await send(seconds, 1 + rate * WARM_UP_SECONDS)
  await delivery.until(({ delivery: now }) => now.lag === 0)
  const { latencyMs } = await delivery.samples()
  const report = await delivery.until(() => true)
  await watch.stop()
  await Promise.all([capture.stop(), delivery.stop()])
  const differences = await countDifferences(flow.source, flow.warehouse)
  progress.end()
  if (differences > 0) throw new Error(`${differences} of ${rows} rows differ at the warehouse: this run is void`)
  return {
    rate,
    seconds,
    rows,
    changes: rate * seconds,
    rowsEqual: true,
    reachedRate: round(reachedRate),
    patches: report.delivery.patches - patchesBefore,
    coalesced: report.delivery.coalesced - coalescedBefore,
    unseen: dueToEndMs.length,
    commitToAnswerMs: percentiles(latencyMs),
    confirmedCommitToSeenMs: percentiles(commitToSeenMs),
    dueToSeenMs: percentiles(dueToSeenMs),
    captureMaxRssMb: round(capture.report!.maxRssBytes / 2 ** 20),
    deliverMaxRssMb: round(report.maxRssBytes / 2 ** 20),
  }
}

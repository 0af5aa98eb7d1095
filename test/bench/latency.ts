import { type LoadOptions, now, type Sent, sendLoad } from './support/load.ts'
import { type BenchRun, fillWarehouse, seedRows, startCapture, startDelivery } from './support/run.ts'
import { percentiles, round } from './support/statistics.ts'
import { countDifferences, insertRows } from './support/workload.ts'

export interface LatencyOptions {
  readonly rate: number
  readonly seconds: number
  /** Rows that the changes are spread over. */
  readonly rows: number
}

const WARM_UP_SECONDS = 5
const SETTLE_MS_MAX = 30_000
const POLL_MS = 50

/**
 * Tells, at each commit that changes a row in the warehouse, whose it was: seen by whoever listens, apart from what the pipeline
 * itself says. The benchmark's own addition to the table.
 */
const WATCH_SQL = `
CREATE FUNCTION bench_seen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('bench_seen', NEW.customer_id::text); RETURN NULL; END $$;
CREATE TRIGGER bench_seen AFTER INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION bench_seen();
`

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
  await fillWarehouse(run, capture, delivery, rows)
  await flow.warehouse.unsafe(WATCH_SQL)
  const seen = new Map<string, number>()
  const listener = await flow.warehouse.listen('bench_seen', (key) => seen.set(key, now()))
  progress.step(`Warming up for ${WARM_UP_SECONDS} s`)
  await measure(run, { rate, seconds: WARM_UP_SECONDS, keys: rows, first: 1 }, seen)
  await delivery.samples()
  const { patches: patchesBefore, coalesced: coalescedBefore } = delivery.report!.delivery

  progress.step(`${rate.toLocaleString('en')} changes a second for ${seconds} s`)
  const { dueToSeen, commitToSeen, unseen, sendingMs } = await measure(
    run,
    { rate, seconds, keys: rows, first: 1 + rate * WARM_UP_SECONDS },
    seen,
  )
  await delivery.until(({ delivery: now }) => now.lag === 0)
  const { latencyMs } = await delivery.samples()
  const report = await delivery.until(() => true)
  await listener.unlisten()
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
    reachedRate: round((rate * seconds) / (sendingMs / 1000)),
    patches: report.delivery.patches - patchesBefore,
    coalesced: report.delivery.coalesced - coalescedBefore,
    unseen,
    commitToAnswerMs: percentiles(latencyMs),
    confirmedCommitToSeenMs: percentiles(commitToSeen),
    dueToSeenMs: percentiles(dueToSeen),
    captureMaxRssMb: round(capture.report!.maxRssBytes / 2 ** 20),
    deliverMaxRssMb: round(report.maxRssBytes / 2 ** 20),
  }
}

/** Sends the load and waits until each of its changes was seen at the warehouse, or is overdue. */
async function measure({ progress, pipeline }: BenchRun, load: LoadOptions, seen: Map<string, number>) {
  const dueToSeen: number[] = []
  const commitToSeen: number[] = []
  const open = new Map<string, Sent>()
  const collect = () => {
    for (const [key, sent] of open) {
      const at = seen.get(key)
      if (at === undefined) continue
      dueToSeen.push(at - sent.dueAtMs)
      commitToSeen.push(at - sent.committedAtMs)
      open.delete(key)
      seen.delete(key)
    }
  }
  seen.clear()
  const timer = setInterval(() => {
    collect()
    progress.update(dueToSeen.length, load.rate * load.seconds)
  }, POLL_MS)
  const startedAt = performance.now()
  await sendLoad(pipeline.flow.source, load, (key, sent) => open.set(key, sent))
  const sendingMs = performance.now() - startedAt
  const deadline = performance.now() + SETTLE_MS_MAX
  while (open.size > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  clearInterval(timer)
  collect()
  return { dueToSeen, commitToSeen, unseen: open.size, sendingMs }
}

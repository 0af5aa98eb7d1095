import { type LoadOptions, now, type Sent, sendLoad } from '../../support/load.ts'
import { percentiles } from '../../support/statistics.ts'
import type { Stage } from '../stage.ts'
import type { DebeziumName } from '../worker/settings.ts'
import { type Applier, prepareAppliers, untilEqual } from './apply.ts'
import type { Bench, Figures } from './bench.ts'

const DEBEZIUM: readonly DebeziumName[] = ['debezium', 'debezium-avro', 'debezium-prompt']
const WARM_UP = { rate: 200, seconds: 10 }
/** Who has not caught up by then counts with what it has reached. */
const SETTLE_MS_MAX = 60_000
const POLL_MS = 50

/** Tells at each commit that changes a row whose it was: seen by whoever listens, whatever wrote it. */
const WATCH_SQL = `
CREATE FUNCTION bench_seen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('bench_seen', NEW.customer_id::text); RETURN NULL; END $$;
CREATE TRIGGER bench_seen AFTER INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION bench_seen();
`

/**
 * Single-row transactions at a steady rate that waits for nobody. Latency is from when a change was due, whatever became of those before
 * it, until a listener at the warehouse has it. What was not seen in the end counts with the time until then.
 */
export async function compareLatency(bench: Bench): Promise<void> {
  const { options } = bench
  const most = Math.max(...options.rates) * options.seconds
  if (most > options.keys)
    throw new Error(`${most} changes need as many rows: with --keys ${most} no two of them become one on the way`)
  const appliers = await prepareAppliers(
    bench,
    DEBEZIUM.filter((name) => bench.options.beside.includes(name)),
  )
  for (const { warehouse } of appliers) await warehouse.unsafe(WATCH_SQL)
  const numbers = { next: 1 }
  await bench.rounds(
    'latency',
    appliers.map(({ name }) => name),
    (contender) => measure(bench, appliers.find(({ name }) => name === contender)!, numbers),
  )
}

async function measure(bench: Bench, applier: Applier, numbers: { next: number }): Promise<Figures> {
  const { stage, progress, options } = bench
  const { capturer, warehouse } = applier
  const capture = await capturer.start()
  const delivery = await applier.start()
  await capture.ready()
  await delivery.ready()
  // First what was changed while another one was measured.
  await untilEqual(stage, applier, delivery)
  const seen = new Map<string, number>()
  const listener = await warehouse.listen('bench_seen', (key) => seen.set(key, now()))
  const figures: Record<string, number> = {}
  try {
    const send = async (rate: number, seconds: number) => {
      const first = numbers.next
      numbers.next += rate * seconds
      const dueToSeen = await sendAndWatch(stage, { rate, seconds, keys: options.keys, first }, seen)
      capture.alive()
      delivery.alive()
      return dueToSeen
    }
    progress.step(`latency, ${applier.name}: warming up`)
    await send(WARM_UP.rate, WARM_UP.seconds)
    for (const rate of options.rates) {
      progress.step(`latency, ${applier.name}: ${rate} changes a second for ${options.seconds} s`)
      const { latencyMs, unseen, reachedRate } = await send(rate, options.seconds)
      const { p50, p95, p99, max } = percentiles(latencyMs)
      Object.assign(figures, {
        [`p50MsAt${rate}`]: p50,
        [`p95MsAt${rate}`]: p95,
        [`p99MsAt${rate}`]: p99,
        [`maxMsAt${rate}`]: max,
        [`unseenAt${rate}`]: unseen,
        [`reachedRateAt${rate}`]: reachedRate,
      })
      await untilEqual(stage, applier, delivery)
    }
  } finally {
    await listener.unlisten()
  }
  figures.captureMb = capture.peakMb()
  figures.deliverMb = delivery.peakMb()
  await Promise.all([capture.stop(), delivery.stop()])
  return figures
}

async function sendAndWatch(stage: Stage, load: LoadOptions, seen: Map<string, number>) {
  const latencyMs: number[] = []
  const open = new Map<string, Sent>()
  const collect = () => {
    for (const [key, { dueAtMs }] of open) {
      const at = seen.get(key)
      if (at === undefined) continue
      latencyMs.push(at - dueAtMs)
      open.delete(key)
      seen.delete(key)
    }
  }
  seen.clear()
  const timer = setInterval(collect, POLL_MS)
  const startedAt = performance.now()
  await sendLoad(stage.pipeline.flow.source, load, (key, sent) => open.set(key, sent))
  const sendingMs = performance.now() - startedAt
  const deadline = performance.now() + SETTLE_MS_MAX
  while (open.size > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  clearInterval(timer)
  collect()
  const endedAtMs = now()
  for (const { dueAtMs } of open.values()) latencyMs.push(endedAtMs - dueAtMs)
  return { latencyMs, unseen: open.size, reachedRate: (load.rate * load.seconds) / (sendingMs / 1000) }
}

import { percentiles } from '../../support/statistics.ts'
import { watchWarehouse } from '../../support/watch-warehouse.ts'
import type { DebeziumName } from '../worker/settings.ts'
import { type Applier, prepareAppliers, untilEqual } from './apply.ts'
import type { Bench, Figures } from './bench.ts'

const DEBEZIUM: readonly DebeziumName[] = ['debezium', 'debezium-avro', 'debezium-prompt']
const WARM_UP = { rate: 200, seconds: 10 }
/** Who has not caught up by then counts with what it has reached. */
const SETTLE_MS_MAX = 60_000

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
  const watch = await watchWarehouse(warehouse)
  const figures: Record<string, number> = {}
  try {
    const send = async (rate: number, seconds: number) => {
      const first = numbers.next
      numbers.next += rate * seconds
      const load = { rate, seconds, keys: options.keys, first }
      const seen = await watch.measure(stage.pipeline.flow.source, load, SETTLE_MS_MAX)
      capture.alive()
      delivery.alive()
      return seen
    }
    progress.step(`latency, ${applier.name}: warming up`)
    await send(WARM_UP.rate, WARM_UP.seconds)
    for (const rate of options.rates) {
      progress.step(`latency, ${applier.name}: ${rate} changes a second for ${options.seconds} s`)
      const { dueToSeenMs, dueToEndMs, reachedRate } = await send(rate, options.seconds)
      const { p50, p95, p99, max } = percentiles([...dueToSeenMs, ...dueToEndMs])
      Object.assign(figures, {
        [`p50MsAt${rate}`]: p50,
        [`p95MsAt${rate}`]: p95,
        [`p99MsAt${rate}`]: p99,
        [`maxMsAt${rate}`]: max,
        [`unseenAt${rate}`]: dueToEndMs.length,
        [`reachedRateAt${rate}`]: reachedRate,
      })
      await untilEqual(stage, applier, delivery)
    }
  } finally {
    await watch.stop()
  }
  figures.captureMb = capture.peakMb()
  figures.deliverMb = delivery.peakMb()
  await Promise.all([capture.stop(), delivery.stop()])
  return figures
}

import { untilSlotPasses } from '../../capture.ts'
import { type BenchRun, drainBare } from '../../support/run.ts'
import { insertRows, makeChanges } from '../../support/workload.ts'
import type { Contender } from '../results.ts'
import { type Capturer, type Stage, Void } from '../stage.ts'
import type { DebeziumName } from '../worker/settings.ts'
import type { Bench } from './bench.ts'

const DEBEZIUM: readonly DebeziumName[] = ['debezium', 'debezium-json', 'debezium-avro']

/**
 * Each drains the same backlog of updates, of each round another one, from where its slot stands before it. Measured by when the broker
 * appended the first record and the last, so that the start of a process is in neither.
 */
export async function compareCapture(bench: Bench): Promise<void> {
  const { stage, progress, options } = bench
  const { pipeline } = stage
  const { source } = pipeline.flow
  const { rows, keys } = options
  const run: BenchRun = { pipeline, progress, profileFolder: undefined }
  const capturers = [
    stage.tributary,
    ...DEBEZIUM.filter((name) => bench.options.beside.includes(name)).map((name) => stage.debezium(name)),
  ]
  progress.step(`capture: making ${keys.toLocaleString('en')} rows`)
  await insertRows(source, 1, keys)
  for (const capturer of capturers) await snapshot(bench, capturer, keys)
  const bareSlot = `${stage.tributary.slot}_bare`
  let made = 0
  const published = new Map(capturers.map(({ name }) => [name, 0]))
  const contenders: Contender[] = ['bare', ...capturers.map(({ name }) => name)]
  await bench.rounds(
    'capture',
    contenders,
    async (contender) => {
      if (contender === 'bare') {
        const { recordsPerSecond, cpuSeconds, maxRssMb } = await drainBare(run, bareSlot, rows)
        return { recordsPerSecond, cpuMicrosPerChange: (cpuSeconds / rows) * 1e6, peakMb: maxRssMb }
      }
      const before = published.get(contender as Capturer['name'])!
      const figures = await drain(stage, capturers.find(({ name }) => name === contender)!, before, made, keys)
      published.set(contender as Capturer['name'], made)
      return figures
    },
    async (round) => {
      if (round > 1) await pipeline.dropSlot(bareSlot)
      await source`SELECT FROM pg_create_logical_replication_slot(${bareSlot}, 'pgoutput')`
      progress.step(`capture, round ${round}: making ${rows.toLocaleString('en')} changes`)
      await makeChanges(source, { first: made + 1, count: rows, keys, transactionRows: 1 }, (done) =>
        progress.update(done, rows),
      )
      made += rows
    },
  )
}

/** Lets a capturer read the table as it is, and ends it, so that it goes on from there later. */
export async function snapshot(
  { stage, progress }: Pick<Bench, 'stage' | 'progress'>,
  capturer: Capturer,
  keys: number,
): Promise<void> {
  progress.step(`capture: ${capturer.name} captures the snapshot`)
  await stage.prepareTopic(capturer)
  const from = await stage.place(capturer.topic)
  const process = await capturer.start()
  await process.ready()
  await stage.untilAppended(capturer, process, from, keys)
  await stage.pipeline.until(async () => {
    const [slot] = await stage.pipeline.flow
      .source`SELECT active FROM pg_replication_slots WHERE slot_name = ${capturer.slot}`
    return slot?.active === true
  }, `${capturer.name} streams`)
  // Debezium moves its slot only with changes of the table; where it stands, there are none.
  if (capturer.name === 'tributary')
    await untilSlotPasses({ pipeline: stage.pipeline, progress, profileFolder: undefined })
  await process.stop()
}

/** Drains all changes after the first `published` up to `made`: those of former rounds too, when it failed then. */
async function drain(stage: Stage, capturer: Capturer, published: number, made: number, keys: number) {
  const { flow } = stage.pipeline
  const changes = made - published
  const changed = await flow.source<{ key: string }[]>`
    SELECT DISTINCT bench_key(number, ${keys}::bigint)::text AS key FROM generate_series(${published + 1}::bigint, ${made}::bigint) AS number`
  const from = await stage.place(capturer.topic)
  const process = await capturer.start()
  const to = await stage.untilAppended(capturer, process, from, changes)
  const peakMb = process.peakMb()
  const done = await stage.read(capturer, from, to)
  const cpuSeconds = process.cpuSecondsBetween(done.firstAppendMs, done.lastAppendMs)
  await process.stop()
  if (done.records !== changes) throw new Void(`published ${done.records} records for ${changes} changes`)
  await stage.compareRows(
    done,
    changed.map(({ key }) => key),
  )
  return {
    recordsPerSecond: done.recordsPerSecond,
    secondHalfPerSecond: done.secondHalfPerSecond,
    bytesPerChange: done.bytes / done.records,
    cpuMicrosPerChange: (cpuSeconds / changes) * 1e6,
    peakMb,
    startToFirstMs: done.firstAppendMs - process.startedAtMs,
  }
}

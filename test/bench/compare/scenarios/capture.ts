import { copyFileSync } from 'node:fs'
import { untilSlotPasses } from '../../capture.ts'
import { type BenchRun, drainBare } from '../../support/run.ts'
import { insertRows, makeChanges } from '../../support/workload.ts'
import type { Contender } from '../results.ts'
import { type Capturer, type Stage, Void } from '../stage.ts'
import { offsetsFile } from '../worker/connect-worker.ts'
import type { DebeziumName } from '../worker/settings.ts'
import type { Bench } from './bench.ts'

const DEBEZIUM: readonly DebeziumName[] = ['debezium', 'debezium-json', 'debezium-avro']

/**
 * Each drains the same backlog of updates: from a slot that stands before it, with what the process knew then. Measured by when the broker
 * appended the first record and the last, so that the start of a process is in neither.
 */
export async function compareCapture(bench: Bench): Promise<void> {
  const { stage, progress, options } = bench
  const { pipeline } = stage
  const { flow } = pipeline
  const { rows, keys } = options
  const run: BenchRun = { pipeline, progress, profileFolder: undefined }
  const capturers = [
    stage.tributary,
    ...DEBEZIUM.filter((name) => bench.options.beside.includes(name)).map((name) => stage.debezium(name)),
  ]
  progress.step(`capture: making ${keys.toLocaleString('en')} rows`)
  await insertRows(flow.source, 1, keys)
  for (const capturer of capturers) await snapshot(bench, capturer, keys)
  for (const { slot, folder } of capturers) {
    await pipeline.copySlot(slot, backlogOf(slot))
    if (folder !== null) copyFileSync(offsetsFile(folder), `${offsetsFile(folder)}.backlog`)
  }
  progress.step(`capture: making a backlog of ${rows.toLocaleString('en')} changes`)
  await makeChanges(flow.source, { first: 1, count: rows, keys, transactionRows: 1 }, (done) =>
    progress.update(done, rows),
  )

  const changed = await flow.source<{ key: string }[]>`
    SELECT DISTINCT bench_key(number, ${keys}::bigint)::text AS key FROM generate_series(1, ${rows}::bigint) AS number`
  const keysChanged = changed.map(({ key }) => key)

  const contenders: Contender[] = ['bare', ...capturers.map(({ name }) => name)]
  await bench.rounds('capture', contenders, async (contender) => {
    if (contender === 'bare') {
      const { recordsPerSecond, cpuSeconds, maxRssMb } = await drainBare(run, backlogOf(stage.tributary.slot), rows)
      return { recordsPerSecond, cpuMicrosPerChange: (cpuSeconds / rows) * 1e6, peakMb: maxRssMb }
    }
    return drain(stage, capturers.find(({ name }) => name === contender)!, rows, keysChanged)
  })
}

const backlogOf = (slot: string) => `${slot}_backlog`

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

async function drain(stage: Stage, capturer: Capturer, rows: number, changed: Iterable<string>) {
  const { pipeline } = stage
  await pipeline.dropSlot(capturer.slot)
  await pipeline.copySlot(backlogOf(capturer.slot), capturer.slot)
  if (capturer.folder !== null) copyFileSync(`${offsetsFile(capturer.folder)}.backlog`, offsetsFile(capturer.folder))
  const from = await stage.place(capturer.topic)
  const process = await capturer.start()
  const to = await stage.untilAppended(capturer, process, from, rows)
  const peakMb = process.peakMb()
  const done = await stage.read(capturer, from, to)
  const cpuSeconds = process.cpuSecondsBetween(done.firstAppendMs, done.lastAppendMs)
  await process.stop()
  if (done.records !== rows) throw new Void(`published ${done.records} records for ${rows} changes`)
  await stage.compareRows(done, changed)
  return {
    recordsPerSecond: done.recordsPerSecond,
    secondHalfPerSecond: done.secondHalfPerSecond,
    bytesPerChange: done.bytes / done.records,
    cpuMicrosPerChange: (cpuSeconds / rows) * 1e6,
    peakMb,
    startToFirstMs: done.firstAppendMs - process.startedAtMs,
  }
}

import { type BenchRun, captureSnapshot, type Drain, drainBare, drainOf, startCapture } from './support/run.ts'
import { median, round } from './support/statistics.ts'
import { insertRows, makeChanges } from './support/workload.ts'

export interface CaptureOptions {
  readonly rows: number
  readonly keys: number
  readonly rounds: number
  /** Changes of one transaction. */
  readonly transactionRows: number
}

/** A copy of where the backlog begins. */
const BACKLOG_SLOT = 'backlog'

/**
 * Drains a backlog of updates through capture as it is, and through a reader that throws everything away, in turn, from slots that
 * stand at the same place. Measured from the first batch read until Kafka holds the last record (for the reader: until the last is read),
 * so that the start of a process is in neither.
 */
export async function benchCapture(run: BenchRun, { rows, keys, rounds, transactionRows }: CaptureOptions) {
  const { pipeline, progress } = run
  const { flow, slot } = pipeline
  progress.step(`Making ${keys.toLocaleString('en')} rows and capturing their snapshot`)
  await insertRows(flow.source, 1, keys)
  const first = startCapture(run, false)
  await captureSnapshot(run, first, keys)
  await untilSlotPasses(run)
  await first.stop()
  const backlogSlot = `${flow.prefix}_${BACKLOG_SLOT}`
  await pipeline.copySlot(slot, backlogSlot)
  progress.step(`Making a backlog of ${rows.toLocaleString('en')} changes`)
  await makeChanges(flow.source, { first: 1, count: rows, keys, transactionRows }, (done) =>
    progress.update(done, rows),
  )

  const bare: Drain[] = []
  const captured: (Drain & { readonly bytes: number; readonly megabytesPerSecond: number })[] = []
  for (let round = 1; round <= rounds; round++) {
    progress.step(`Round ${round} of ${rounds}: the bare reader`)
    bare.push(await drainBare(run, backlogSlot, rows))
    progress.step(`Round ${round} of ${rounds}: capture`)
    await pipeline.dropSlot(slot)
    await pipeline.copySlot(backlogSlot, slot)
    captured.push(await drainCapture(run, rows))
  }
  progress.end()
  const rate = median(captured.map(({ recordsPerSecond }) => recordsPerSecond))
  const bareRate = median(bare.map(({ recordsPerSecond }) => recordsPerSecond))
  return {
    rows,
    keys,
    rounds,
    transactionRows,
    recordsPerSecond: round(rate),
    bareRecordsPerSecond: round(bareRate),
    ratio: round(rate / bareRate),
    megabytesPerSecond: round(median(captured.map(({ megabytesPerSecond }) => megabytesPerSecond))),
    bytesPerRecord: round(median(captured.map(({ bytes }) => bytes / rows))),
    maxRssMb: round(Math.max(...captured.map(({ maxRssMb }) => maxRssMb))),
    bareMaxRssMb: round(Math.max(...bare.map(({ maxRssMb }) => maxRssMb))),
    cpuSeconds: round(median(captured.map(({ cpuSeconds }) => cpuSeconds))),
    bareCpuSeconds: round(median(bare.map(({ cpuSeconds }) => cpuSeconds))),
    recordsPerSecondByRound: captured.map(({ recordsPerSecond }) => round(recordsPerSecond)),
    bareRecordsPerSecondByRound: bare.map(({ recordsPerSecond }) => round(recordsPerSecond)),
  }
}

async function drainCapture(run: BenchRun, rows: number) {
  const child = startCapture(run, true)
  const report = await child.until(
    ({ capture }) => capture.records >= rows && capture.firstReadAtMs !== null,
    ({ capture }) => run.progress.update(capture.records, rows),
  )
  await child.stop()
  const { records, bytes, firstReadAtMs, lastAckedAtMs } = report.capture
  if (records !== rows) throw new Error(`capture published ${records} records for ${rows} changes`)
  const ms = lastAckedAtMs! - firstReadAtMs!
  return { ...drainOf(report, records, ms), bytes, megabytesPerSecond: bytes / 1e6 / (ms / 1000) }
}

/** Waits until the slot is confirmed past the rows that were inserted, so that the backlog alone is left. */
export async function untilSlotPasses({ pipeline }: BenchRun): Promise<void> {
  const { flow, slot } = pipeline
  const [{ end }] = (await flow.source`SELECT pg_current_wal_insert_lsn()::text AS end`) as unknown as [{ end: string }]
  await flow.source`SELECT pg_logical_emit_message(true, 'bench', 'past the snapshot')`
  await pipeline.until(async () => {
    const [row] = await flow.source`
      SELECT confirmed_flush_lsn >= ${end}::pg_lsn AS passed FROM pg_replication_slots WHERE slot_name = ${slot}`
    return row?.passed === true
  }, 'the slot passes the snapshot')
}

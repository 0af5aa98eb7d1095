import { createFlow, type Flow } from '../../support/flow.ts'
import { alignColumns } from '../support/report.ts'
import { round } from '../support/statistics.ts'
import type { Figures, Surroundings } from '../support/surroundings.ts'
import { type Measured, startMeasured } from './measured-process.ts'
import { SCENARIOS, type Scenario, SOURCE } from './scenarios.ts'

export const SCENARIO_NAMES = Object.keys(SCENARIOS)

export interface MemoryOptions {
  readonly scenario?: readonly string[]
  /** The share of each scenario's rows. */
  readonly scale: number
}

/** One scenario's outcome. */
interface Row {
  readonly scenario: string
  readonly changes: number
  /** From the start of the process until it streamed. */
  readonly readySeconds: number
  /** From the start of the process until Kafka had acknowledged the last change. */
  readonly seconds: number
  readonly changesPerSecond: number
  readonly cpuMicrosPerChange: number | null
  readonly peakMb: number
  readonly heapTotalMb: number
  readonly arrayBuffersMb: number
  readonly delayP99Ms: number
  readonly delayMaxMs: number
  readonly turnMaxMs: number
}

/**
 * The most memory that `tributary capture` ever holds, each scenario with a pipeline and a process of its own. The work lies ready when the
 * process starts, so that it goes as fast as it can, which is when memory is highest.
 */
export async function benchMemory(around: Surroundings, { scenario, scale }: MemoryOptions): Promise<Figures> {
  const rows: Row[] = []
  for (const name of scenario ?? SCENARIO_NAMES) rows.push(await measureScenario(around, name, SCENARIOS[name]!, scale))
  around.progress.end()
  return { scale, peakMb: Math.max(...rows.map(({ peakMb }) => peakMb)), scenarios: rows }
}

async function measureScenario(around: Surroundings, name: string, scenario: Scenario, scale: number): Promise<Row> {
  const { progress } = around
  progress.step(`${name}: ${scenario.what}`)
  const flow = await createFlow(scenario.declare, scenario.sourceSql)
  let closed = false
  const close = async () => {
    if (!closed) await flow.close()
    closed = true
  }
  around.atEnd(close)
  await flow.provision()
  const work = await scenario.make(flow, scale, () => captureOnce(flow))
  progress.step(`${name}: capture`)
  const { ready, measured, seconds } = await drain(around, flow, work.records, work.idleMs)
  await close()
  return {
    scenario: name,
    changes: work.records,
    readySeconds: round(ready),
    seconds: round(seconds),
    changesPerSecond: work.records === 0 ? 0 : round(work.records / (seconds - ready)),
    cpuMicrosPerChange: work.records === 0 ? null : round((measured.cpuSeconds / work.records) * 1e6),
    peakMb: round(measured.peakMb),
    heapTotalMb: round(measured.heapTotalMb),
    arrayBuffersMb: round(measured.arrayBuffersMb),
    delayP99Ms: round(measured.delayP99Ms),
    delayMaxMs: round(measured.delayMaxMs),
    turnMaxMs: round(measured.turnMaxMs),
  }
}

const POLL_MS = 200
/** Without a change for so long the benchmark has failed. */
const STALLED_MS = 120_000

async function drain(
  { progress, atEnd }: Surroundings,
  flow: Flow,
  records: number,
  idleMs: number,
): Promise<{ ready: number; measured: Measured; seconds: number }> {
  const capture = await startMeasured(['capture', SOURCE, '-f', flow.file], flow.env)
  atEnd(() => capture.stop())
  await capture.ready()
  const ready = (performance.now() - capture.startedAtMs) / 1000
  let done = 0
  let changedAtMs = performance.now()
  for (;;) {
    const now = await capture.published(`${flow.prefix}.t`)
    if (now !== done) changedAtMs = performance.now()
    done = now
    if (records > 0) progress.update(done, records)
    if (done >= records && performance.now() - changedAtMs >= idleMs) break
    if (performance.now() - changedAtMs > STALLED_MS)
      throw new Error(`capture published ${done} of ${records} records and then nothing for ${STALLED_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  const seconds = (changedAtMs - capture.startedAtMs) / 1000
  const measured = capture.measure()
  await capture.stop()
  return { ready, measured, seconds }
}

/** Runs capture until it holds the slot and has published what there is, so that what comes after is a backlog. */
async function captureOnce(flow: Flow): Promise<void> {
  const capture = await startMeasured(['capture', SOURCE, '-f', flow.file], flow.env)
  try {
    await capture.ready()
    const [{ end }] = (await flow.source`SELECT pg_current_wal_insert_lsn()::text AS end`) as unknown as [
      { end: string },
    ]
    const deadline = performance.now() + STALLED_MS
    for (let passed = false; !passed; ) {
      if (performance.now() > deadline) throw new Error('the slot did not pass the snapshot')
      await flow.source`SELECT pg_logical_emit_message(true, 'bench', 'past the snapshot')`
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      const [row] = await flow.source`
        SELECT bool_and(confirmed_flush_lsn >= ${end}::pg_lsn) AS passed FROM pg_replication_slots
        WHERE database = current_database() AND NOT temporary`
      passed = row?.passed === true
    }
  } finally {
    await capture.stop()
  }
}

/** A table of the scenarios: what a person looks at. */
export function printMemory(figures: Figures): void {
  const rows = figures.scenarios as readonly Row[]
  const columns: readonly [string, (row: Row) => string][] = [
    ['scenario', (row) => row.scenario],
    ['changes', (row) => row.changes.toLocaleString('en')],
    ['seconds', (row) => row.seconds.toLocaleString('en')],
    ['changes/s', (row) => row.changesPerSecond.toLocaleString('en')],
    ['µs CPU each', (row) => row.cpuMicrosPerChange?.toLocaleString('en') ?? '-'],
    ['peak MB', (row) => row.peakMb.toLocaleString('en')],
    ['heap MB', (row) => row.heapTotalMb.toLocaleString('en')],
    ['buffers MB', (row) => row.arrayBuffersMb.toLocaleString('en')],
    ['loop p99 ms', (row) => row.delayP99Ms.toLocaleString('en')],
    ['loop max ms', (row) => row.delayMaxMs.toLocaleString('en')],
    ['turn CPU max ms', (row) => row.turnMaxMs.toLocaleString('en')],
  ]
  const lines = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, text]) => text(row)))]
  for (const line of alignColumns(lines)) console.log(line)
}

import type postgres from 'postgres'
import { consumerGroup } from '../../../../schemas/topics.ts'
import { SUBSCRIBER } from '../../support/bench-pipeline.ts'
import { countDifferences, makeChanges } from '../../support/workload.ts'
import { type Capturer, type Stage, Void } from '../stage.ts'
import type { DebeziumName } from '../worker/settings.ts'
import { startTributary } from '../worker/tributary-process.ts'
import type { WatchedProcess } from '../worker/watched-process.ts'
import type { Bench } from './bench.ts'
import { snapshot } from './capture.ts'
import { fill } from './fill.ts'

/** Its sink needs records with a schema. */
const DEBEZIUM: readonly DebeziumName[] = ['debezium', 'debezium-avro']
/** So many of the last changes are looked for at the warehouse. */
const TAIL = 200
const POLL_MS = 50
const STALLED_MS = 300_000

/** Whoever applies, its warehouse and its consumer group. */
export interface Applier {
  readonly name: 'tributary' | DebeziumName
  readonly capturer: Capturer
  readonly warehouse: postgres.Sql
  readonly group: string
  start(): Promise<WatchedProcess & { ready(): Promise<void> }>
}

/**
 * Each applies the same changes, which are on its topic already, to a warehouse that has every row. From when its consumer is a member of its
 * group until the last of the changes are seen at the warehouse: neither its start nor its connections are in it.
 */
export async function compareApply(bench: Bench): Promise<void> {
  const { stage, progress, options } = bench
  const { source } = stage.pipeline.flow
  const { rows, keys } = options
  const appliers = await prepareAppliers(
    bench,
    DEBEZIUM.filter((name) => bench.options.beside.includes(name)),
  )
  let made = 0
  await bench.rounds(
    'apply',
    appliers.map(({ name }) => name),
    (contender) => apply(stage, appliers.find(({ name }) => name === contender)!, made - rows + 1, options),
    async (round) => {
      progress.step(`apply, round ${round}: making ${rows.toLocaleString('en')} changes`)
      await makeChanges(source, { first: made + 1, count: rows, keys, transactionRows: 1 }, (done) =>
        progress.update(done, rows),
      )
      made += rows
      for (const { capturer } of appliers) {
        progress.step(`apply, round ${round}: ${capturer.name} captures them`)
        const from = await stage.place(capturer.topic)
        const process = await capturer.start()
        await stage.untilAppended(capturer, process, from, rows)
        await process.stop()
      }
    },
  )
}

/** Fills the source and each warehouse with the rows, by its own way. */
export async function prepareAppliers(bench: Bench, names: readonly DebeziumName[]): Promise<readonly Applier[]> {
  const { stage, progress, options } = bench
  const { pipeline } = stage
  const { flow } = pipeline
  await fill(bench)
  const appliers: Applier[] = [
    {
      name: 'tributary',
      capturer: stage.tributary,
      warehouse: flow.warehouse,
      group: consumerGroup(flow.prefix, SUBSCRIBER, 'standard'),
      start: () => startTributary(flow, 'deliver', SUBSCRIBER),
    },
  ]
  for (const name of names) {
    const capturer = stage.debezium(name)
    await snapshot(bench, capturer, options.keys)
    const { url, sql } = await stage.createWarehouse(name)
    const applier: Applier = {
      name,
      capturer,
      warehouse: sql,
      group: stage.sinkGroup(name),
      start: () => stage.startSink(name, url),
    }
    progress.step(`${name} fills its warehouse`)
    const sink = await applier.start()
    await sink.ready()
    await untilEqual(stage, applier, sink)
    await sink.stop()
    appliers.push(applier)
  }
  return appliers
}

async function apply(
  stage: Stage,
  applier: Applier,
  first: number,
  { rows, keys }: { readonly rows: number; readonly keys: number },
) {
  const { source } = stage.pipeline.flow
  const tail = await source<{ key: string }[]>`
    SELECT DISTINCT bench_key(number, ${keys}::bigint)::text AS key
    FROM generate_series(${first + rows - TAIL}::bigint, ${first + rows - 1}::bigint) AS number`
  const keysOfTail = tail.map(({ key }) => key)
  const wanted = await textOf(source, keysOfTail)
  const process = await applier.start()
  const until = async (condition: () => Promise<boolean>, what: string) => {
    const deadline = performance.now() + STALLED_MS
    while (!(await condition())) {
      process.alive()
      if (performance.now() > deadline) throw new Error(`${applier.name}: ${what} does not come\n${process.log()}`)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    return Date.now()
  }
  const startedAtMs = await until(async () => (await stage.groupMembers(applier.group)) > 0, 'a member of its group')
  const endedAtMs = await until(async () => (await textOf(applier.warehouse, keysOfTail)) === wanted, 'the last change')
  const peakMb = process.peakMb()
  await untilEqual(stage, applier, process)
  await process.stop()
  return {
    recordsPerSecond: (rows / (endedAtMs - startedAtMs)) * 1000,
    cpuMicrosPerChange: (process.cpuSecondsBetween(startedAtMs, endedAtMs) / rows) * 1e6,
    peakMb,
  }
}

async function textOf(sql: postgres.Sql, keys: readonly string[]): Promise<string> {
  const [row] = await sql<{ text: string }[]>`
    SELECT string_agg(concat_ws('|', customer_id, email, balance, credit_limit, orders, updated_at), ',' ORDER BY customer_id) AS text
    FROM customers WHERE customer_id = ANY(${keys as string[]}::bigint[])`
  return row?.text ?? ''
}

const EQUAL_MS_MAX = 300_000
const EQUAL_POLL_MS = 1_000

/** @throws Void when a warehouse does not become what the source is */
export async function untilEqual(stage: Stage, { name, warehouse }: Applier, process: WatchedProcess): Promise<void> {
  const deadline = performance.now() + EQUAL_MS_MAX
  for (;;) {
    const differences = await countDifferences(stage.pipeline.flow.source, warehouse)
    if (differences === 0) return
    process.alive()
    if (performance.now() > deadline) throw new Void(`${name}: ${differences} rows differ\n${process.log()}`)
    await new Promise((resolve) => setTimeout(resolve, EQUAL_POLL_MS))
  }
}

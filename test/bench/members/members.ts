import { setTimeout as wait } from 'node:timers/promises'
import type { FlowProcess } from '../../support/flow.ts'
import { untilQuiet } from '../../support/quiet.ts'
import { type BrokerCluster, startBrokerCluster } from '../../support/servers/broker-cluster.ts'
import { readHistory, staleTails } from '../../support/topics/topic-history.ts'
import { type BenchPipeline, createBenchPipeline, SOURCE, SUBSCRIBER } from '../support/bench-pipeline.ts'
import { now } from '../support/load.ts'
import { percentiles } from '../support/statistics.ts'
import type { Figures, Surroundings } from '../support/surroundings.ts'
import { type SeenLoad, type WarehouseWatch, watchWarehouse } from '../support/watch-warehouse.ts'
import { countDifferences, ENTITY, insertRows } from '../support/workload.ts'

export interface MembersOptions {
  readonly minutes: number
  readonly rate: number
  readonly members: number
  /** How often a member is killed, or with `rolling` restarted in good order, in seconds. */
  readonly every: number
  readonly rolling?: boolean
  /** Brokers of the cluster; with more than one each is restarted in its turn, too. */
  readonly brokers: number
}

const KEYS = 10_000
const CALM_SECONDS = 30
const WARM_UP_MS = 10_000
/** What an orchestrator needs to start a process again. */
const START_AGAIN_MS = 1_000
/** The session of a member that was killed, and the rebalance after it: changes that were due meanwhile wait for it. */
const FAULT_WINDOW_MS = 15_000
/** What was due so long before may have been in the hands of who was killed. */
const UNDER_WAY_MS = 1_000
const SETTLE_MS_MAX = 120_000
const STOP_MS_MAX = 45_000

/**
 * Several processes of one subscriber under a load that waits for nobody. One after the other is killed and started again, or restarted in
 * good order, and the brokers of a cluster with them. Afterwards every row is compared, every topic's order, and the dead letters.
 * @throws Error when a row differs, a key's newest version is not its last, or something was given up: the run is void
 */
export async function benchMembers({ progress, atEnd }: Surroundings, options: MembersOptions): Promise<Figures> {
  const { minutes, rate, members: count, brokers: nodes } = options
  let cluster: BrokerCluster | null = null
  if (nodes > 1) {
    progress.step(`Starting ${nodes} brokers`)
    cluster = await startBrokerCluster(nodes)
    atEnd(() => cluster!.close())
    process.env.TRIBUTARY_KAFKA_BROKERS = cluster.brokers.join(',')
    process.env.TRIBUTARY_KAFKA_REPLICATION = String(Math.min(nodes, 3))
  }
  progress.step('Filling the warehouse')
  const pipeline = await createBenchPipeline({ timeout: '5s' })
  const { flow } = pipeline
  const capture = flow.start('capture', SOURCE)
  const members = Array.from({ length: count }, () => flow.start('deliver', SUBSCRIBER))
  atEnd(async () => {
    await Promise.all([capture, ...members].map(stop))
    await pipeline.close()
  })
  await insertRows(flow.source, 1, KEYS)
  await untilQuiet(flow)
  const watch = await watchWarehouse(flow.warehouse)
  await wait(WARM_UP_MS)

  progress.step(`${rate} changes a second, undisturbed for ${CALM_SECONDS} s`)
  const calmLoad = { rate, seconds: CALM_SECONDS, keys: KEYS, first: 1 }
  const calm = await measured(watch, pipeline, calmLoad)
  progress.step(
    `${rate} changes a second for ${minutes} min, a member ${options.rolling ? 'restarted' : 'killed'} every ${options.every} s`,
  )
  const seconds = Math.round(minutes * 60)
  const over = new AbortController()
  const faults = disturb(pipeline, members, cluster, options, over.signal)
  faults.catch(() => over.abort())
  const load = { rate, seconds, keys: KEYS, first: 1 + rate * CALM_SECONDS }
  const disturbed = await measured(watch, pipeline, load)
  over.abort()
  const faultsAtMs = await faults
  await watch.stop()
  progress.step('Comparing')
  await untilQuiet(flow)
  await requireRight(pipeline)
  progress.end()
  const outside = disturbed.dueToSeenMs.filter((_, index) => !isWithin(disturbed.dueAtMs[index]!, faultsAtMs))
  return {
    ...options,
    changes: rate * (CALM_SECONDS + seconds),
    faults: faultsAtMs.length,
    rowsEqual: true,
    orderKept: true,
    unseen: calm.dueToEndMs.length + disturbed.dueToEndMs.length,
    undisturbedMs: percentiles(calm.dueToSeenMs),
    disturbedMs: percentiles(disturbed.dueToSeenMs),
    outsideFaultsMs: percentiles(outside),
  }
}

async function measured(
  watch: WarehouseWatch,
  { flow }: BenchPipeline,
  load: { readonly rate: number; readonly seconds: number; readonly keys: number; readonly first: number },
): Promise<SeenLoad> {
  return await watch.measure(flow.source, load, SETTLE_MS_MAX)
}

/**
 * Ends one process after the other and starts it again, then a broker, until `signal` aborts.
 * @param members a process that is replaced is replaced in here
 * @returns when, ms since 1970
 */
async function disturb(
  { flow }: BenchPipeline,
  members: FlowProcess[],
  cluster: BrokerCluster | null,
  { every, rolling }: MembersOptions,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const atMs: number[] = []
  const pause = (ms: number) => wait(ms, undefined, { signal }).catch(() => {})
  const turns = members.length + (cluster?.brokers.length ?? 0)
  for (let turn = 0; ; turn = (turn + 1) % turns) {
    await pause(every * 1000)
    if (signal.aborted) return atMs
    atMs.push(now())
    if (turn >= members.length) {
      await cluster!.restart(turn - members.length)
      continue
    }
    if (rolling) await stop(members[turn]!)
    else {
      members[turn]!.kill('SIGKILL')
      await members[turn]!.exited
      await wait(START_AGAIN_MS)
    }
    members[turn] = flow.start('deliver', SUBSCRIBER)
  }
}

async function stop(one: FlowProcess): Promise<void> {
  if (one.child.exitCode !== null || one.child.signalCode !== null) return
  one.kill('SIGTERM')
  const late = wait(STOP_MS_MAX, 'late' as const, { ref: false })
  if ((await Promise.race([one.exited, late])) !== 'late') return
  one.kill('SIGKILL')
  throw new Error(`a process did not end within ${STOP_MS_MAX / 1000} s:\n${one.log().slice(-2_000)}`)
}

function isWithin(dueAtMs: number, faultsAtMs: readonly number[]): boolean {
  return faultsAtMs.some((at) => dueAtMs >= at - UNDER_WAY_MS && dueAtMs < at + FAULT_WINDOW_MS)
}

async function requireRight({ flow }: BenchPipeline): Promise<void> {
  const differences = await countDifferences(flow.source, flow.warehouse)
  const stale = staleTails(ENTITY, await readHistory(flow, ENTITY))
  const { stdout } = await flow.run('dlq', 'list', SUBSCRIBER, '--json')
  const { open } = JSON.parse(stdout) as { open: number }
  if (differences + stale.length + open > 0)
    throw new Error(
      `${differences} rows differ, ${stale.length} keys end stale, ${open} dead letters: this run is void`,
    )
}

import { openAdmin } from '../../../connectors/kafka/admin.ts'
import { pause } from '../../../connectors/pause.ts'
import { groupsOf } from '../../../ops/process/delivery.ts'
import { eventually } from '../../support/flow.ts'
import { untilCaptured, untilQuiet } from '../../support/quiet.ts'
import { REPLAY } from '../checker/g5-letters.ts'
import type { FaultEntry, OutputEntry, RunHistory } from '../histories/history.ts'
import { readSourceHistory, readSourceState } from '../histories/source-history.ts'
import { readWarehouseHistory, readWarehouseState } from '../histories/warehouse-history.ts'
import { isAway } from '../workload/away.ts'
import { seededRandom } from '../workload/random.ts'
import { startSessions } from '../workload/sessions.ts'
import { FAILING_CLASS, LOSSES, planWindow, type RunPlan, type Window } from './faults.ts'
import { inflict } from './inflict.ts'
import type { Heal } from './inflict-source.ts'
import { type Probes, startProbes } from './probes.ts'
import { RECORDED, type Scene } from './scene.ts'

export interface ChaosOptions {
  readonly seed: number
  /** How long faults go on. */
  readonly forMs: number
  /** Told what happens, a line each. */
  readonly onEvent: (text: string) => void
}

const SESSIONS = 3
const RECOVERS_WITHIN_MS = 300_000
const QUIET_WITHIN_MS = 300_000
const LATENCY_MS_MAX = 60_000
const ISOLATED_MS_MAX = 60_000
/** Above what a process of the pipeline ever needs (npm run bench -- memory), below what a leak would reach. */
const RSS_BYTES_MAX = 500 * 1024 * 1024
/** How many probes are made when all is well again. */
const PROBES_AFTERWARDS = 3

/**
 * A pipeline under a random workload and random faults, then healed and quiet.
 * @returns everything that was recorded of it; the scene is still to be closed
 */
export async function runChaos(scene: Scene, { seed, forMs, onEvent }: ChaosOptions): Promise<RunHistory> {
  const { flow, members, store, vendor } = scene
  const { plan, shown } = scene
  onEvent(tellPlan(plan))
  const startedMs = Date.now()
  // From here on the source's history is continued: what is committed now is streamed.
  await untilCaptured(flow)
  const sessions = startSessions(flow, seed, SESSIONS)
  const probes = startProbes(scene)
  const faults: FaultEntry[] = []
  const random = seededRandom(seed, 'windows')
  const deadline = performance.now() + forMs
  let windows = 0
  while (performance.now() < deadline) {
    const window = planWindow(random, members.names, plan.losesHistory)
    onEvent(tell(window))
    faults.push(...(await playWindow(scene, probes, window, seededRandom(seed, `window ${windows++}`), onEvent)))
    await pause(window.restMs, new AbortController().signal)
  }
  const healedMs = Date.now()
  // The probes go on: something has to show that what is committed now arrives as well.
  await sessions.stop()
  const { ended, refused } = sessions.done()
  onEvent(`healed, after ${ended} transactions, and ${refused} that were refused`)
  const recoveredMs = await orNull(untilArrived(scene), onEvent)
  for (let times = 0; times < PROBES_AFTERWARDS && recoveredMs !== null; times++)
    await probes.untilSeen(['warehouse', 'search', 'vendor'], AbortSignal.timeout(LATENCY_MS_MAX))
  await probes.stop()
  onEvent(recoveredMs === null ? 'it does not recover' : 'recovered')
  let quietMs = await orNull(untilQuiet(flow, QUIET_WITHIN_MS), onEvent)
  if (quietMs !== null && faults.some(({ kind }) => kind === 'refusing')) {
    faults.push(await replay(scene, shown, onEvent))
    quietMs = await orNull(untilQuiet(flow, QUIET_WITHIN_MS), onEvent)
  }
  onEvent(quietMs === null ? 'it does not get quiet' : 'quiet')
  const states = [
    ...(await readSourceState(flow.source, RECORDED)),
    ...(await readWarehouseState(flow.warehouse, 'warehouse', RECORDED)),
    ...store.state(),
    ...vendor.state(),
  ]
  const { progress, processes } = await scene.progress.stop()
  await members.stop()
  const { topic, letters, headers } = await scene.follower.finish()
  return {
    about: {
      seed,
      startedMs,
      healedMs,
      recoveredMs,
      quietMs,
      quietWithinMs: QUIET_WITHIN_MS,
      destinations: scene.destinations,
      isContinuous: !faults.some(({ kind }) => (LOSSES as readonly string[]).includes(kind)),
      // Its body is left out of the log where it did not change.
      completed: ['article'],
      secrets: scene.secrets,
      rssBytesMax: RSS_BYTES_MAX,
      latencyMsMax: LATENCY_MS_MAX,
    },
    source: await readSourceHistory(flow.source),
    topic,
    effects: [...(await readWarehouseHistory(flow.warehouse, 'warehouse')), ...store.history, ...vendor.history],
    letters,
    progress,
    processes,
    output: [...members.output, ...headers, ...shown],
    faults,
    states,
  }
}

async function playWindow(
  scene: Scene,
  probes: Probes,
  { forMs, faults, alone }: Window,
  random: ReturnType<typeof seededRandom>,
  onEvent: (text: string) => void,
): Promise<FaultEntry[]> {
  const over = new AbortController()
  const fromMs = performance.now()
  const begun: { readonly heal: Heal; readonly entry: Omit<FaultEntry, 'toMs'> }[] = []
  for (const fault of [...faults].sort((a, b) => a.afterMs - b.afterMs)) {
    await pause(fromMs + fault.afterMs - performance.now(), over.signal)
    const entities = fault.kind === FAILING_CLASS ? { entities: scene.standardEntities } : {}
    const alones = alone === null ? {} : { alone, ...entities }
    const entry = { kind: fault.kind, target: fault.target, fromMs: Date.now(), ...alones }
    try {
      begun.push({ entry, heal: await inflict(scene, fault, random, over.signal) })
    } catch (error) {
      // What is away by another fault cannot be hit by this one.
      if (!isAway(error)) throw error
      onEvent(`${fault.kind} of ${fault.target} did not happen: ${String(error)}`)
    }
  }
  await pause(fromMs + forMs - performance.now(), over.signal)
  if (alone !== null) {
    const isClass = faults.some(({ kind }) => kind === FAILING_CLASS)
    const others = scene.destinations.map(({ name }) => name).filter((name) => isClass || name !== alone)
    await probes.untilSeen(others, AbortSignal.timeout(ISOLATED_MS_MAX))
  }
  await scene.members.readPages()
  over.abort()
  const entries: FaultEntry[] = []
  for (const { heal, entry } of begun) {
    const toMs = Date.now()
    await heal()
    entries.push({ ...entry, toMs: alone === null ? Date.now() : toMs })
  }
  return entries
}

/** Waits until everything of before this call has arrived everywhere, while the workload goes on. */
async function untilArrived({ flow }: Scene): Promise<void> {
  await untilCaptured(flow, RECOVERS_WITHIN_MS)
  const { declaration, kafka } = flow.environment()
  // A broker that was only just started may let whoever asks wait for longer than they do.
  let opened: Awaited<ReturnType<typeof openAdmin>> | null = null
  const isOpen = async () => {
    opened = await openAdmin(kafka, declaration.kafka.brokers)
    return true
  }
  await eventually(isOpen, 'Kafka answers', RECOVERS_WITHIN_MS)
  const admin = opened!
  try {
    const wanted = new Map<string, bigint>()
    const areKnown = async () => {
      for (const entity of declaration.entities.keys())
        for (const { partition, high } of await admin.topicOffsets(`${flow.prefix}.${entity}`))
          wanted.set(`${flow.prefix}.${entity}/${partition}`, high)
      return true
    }
    await eventually(areKnown, 'the ends of the topics are known', RECOVERS_WITHIN_MS)
    for (const subscriber of declaration.subscribers.values())
      for (const { groupId, routes } of groupsOf(declaration, subscriber)) {
        const topics = routes.map(({ topic }) => topic)
        const isThere = async () =>
          (await admin.groupLag(groupId, topics)).every(
            ({ topic, partition, committed, low, high }) =>
              high === low || (committed ?? low) >= (wanted.get(`${topic}/${partition}`) ?? 0n),
          )
        await eventually(isThere, `${groupId} has what was there when all was healed`, RECOVERS_WITHIN_MS)
      }
  } finally {
    await admin.close()
  }
}

/** Has everything that was refused sent once more, now that nothing is refused. */
async function replay({ flow }: Scene, shown: OutputEntry[], onEvent: (text: string) => void): Promise<FaultEntry> {
  const tributary = async (...args: string[]) => {
    const ran = await flow.run(...args)
    shown.push({ atMs: Date.now(), process: args.join(' '), text: ran.stdout + ran.stderr })
    return ran
  }
  await tributary('dlq', 'list', 'search')
  const fromMs = Date.now()
  const { code, stdout, stderr } = await tributary('dlq', 'replay', 'search')
  onEvent(`dead letters are replayed, exit code ${code}: ${(stdout + stderr).trim().split('\n').at(-1)}`)
  return { kind: REPLAY, target: 'search', fromMs, toMs: Date.now() }
}

/** The time when it was done; null when it was not. */
async function orNull(waiting: Promise<void>, onEvent: (text: string) => void): Promise<number | null> {
  try {
    await waiting
    return Date.now()
  } catch (error) {
    onEvent(error instanceof Error ? error.message : String(error))
    return null
  }
}

function tellPlan({ vendor, losesHistory, isHeld }: RunPlan): string {
  const after = losesHistory ? `is lost, and ${isHeld ? 'waits for a person' : 'goes on by itself'}` : 'is kept'
  return `the vendor is ${vendor}; the history of the source ${after}`
}

function tell({ forMs, faults, alone }: Window): string {
  const what = faults.map(
    ({ kind, target, afterMs }) => `${kind} of ${target}${afterMs > 0 ? ` after ${afterMs} ms` : ''}`,
  )
  return `${Math.round(forMs / 1000)} s${alone === null ? '' : `, ${alone} alone`}: ${what.join(', ')}`
}

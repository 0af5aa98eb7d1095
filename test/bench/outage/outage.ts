import { setTimeout as wait } from 'node:timers/promises'
import {
  lettersEver,
  metricOf,
  type OutageScene,
  revisionsAtSource,
  revisionsAtWarehouse,
  startOutageScene,
} from '../../chaos/outage/scene.ts'
import { goneBack, type Sighting } from '../../chaos/outage/sightings.ts'
import { eventually } from '../../support/flow.ts'
import { untilQuiet } from '../../support/quiet.ts'
import { closeFlow } from '../support/bench-pipeline.ts'
import { now, sendLoad } from '../support/load.ts'
import { median, round } from '../support/statistics.ts'
import type { Figures, Surroundings } from '../support/surroundings.ts'
import { Changes } from './changes.ts'
import { compareWindows, type Window } from './compare-windows.ts'
import { type SandboxChild, startSandboxChild } from './sandbox-child.ts'

export interface OutageOptions {
  /** How long the store is down at the end. */
  readonly minutes: number
  readonly rate: number
  readonly keys: number
  /** Before that: pairs of windows, one with the store up and one with it down. */
  readonly windows: number
  readonly windowSeconds: number
}

const WARM_UP_MS = 15_000
const CALM_MS = 3_000
const CATCH_UP_MS_MAX = 300_000
const LOOK_MS = 100

/** Change → when the subscriber was seen to have it. */
type Seen = Map<number, number>

interface Bench {
  readonly scene: OutageScene
  readonly store: SandboxChild
  readonly changes: Changes
  readonly seen: { readonly crm: Seen; readonly store: Seen; readonly warehouse: Seen }
}

/**
 * A store that is down, beside a CRM and a warehouse on the same topic, at a load that waits for nobody. What is measured shares nothing with
 * the pipeline: from when a change was due to when a subscriber's own log, or a listener at the warehouse, has it.
 * @throws Error when a subscriber ends up with something else than the source has: the figures are void
 */
export async function benchOutage({ progress, atEnd }: Surroundings, options: OutageOptions): Promise<Figures> {
  const { minutes, rate, keys, windows, windowSeconds } = options
  const windowMs = windowSeconds * 1000
  progress.step('Starting the subscribers and filling them')
  const changes = new Changes(keys)
  const seen = { crm: new Map(), store: new Map(), warehouse: new Map() } satisfies Bench['seen']
  const log: Record<'crm' | 'store', Sighting[]> = { crm: [], store: [] }
  const start = async (kind: 'crm' | 'store') => {
    const child = await startSandboxChild(kind, (sightings) => {
      for (const sighting of sightings) {
        log[kind].push(sighting)
        if (!seen[kind].has(sighting.revision)) seen[kind].set(sighting.revision, sighting.atMs)
      }
    })
    atEnd(() => child.stop())
    return child
  }
  const [crm, store] = await Promise.all([start('crm'), start('store')])
  const scene = await startOutageScene(keys, crm.url, { ...store, probeEvery: '1s..30s' })
  const { flow, processes } = scene
  atEnd(async () => {
    // A member that is killed stays in its group for a while, and a group with members cannot be removed.
    for (const { child, kill } of Object.values(processes)) if (child.exitCode === null) kill('SIGTERM')
    await Promise.all(Object.values(processes).map(({ exited }) => exited))
    await closeFlow(flow)
  })
  await flow.warehouse.unsafe(WATCH_SQL)
  const listener = await flow.warehouse.listen('bench_seen', (revision) => seen.warehouse.set(Number(revision), now()))
  const bench: Bench = { scene, store, changes, seen }

  const stop = new AbortController()
  const load = { rate, seconds: Number.POSITIVE_INFINITY, keys, first: 1, signal: stop.signal }
  const loading = sendLoad(flow.source, load, (_key, sent) => changes.sent(sent))
  // Its failure is thrown where it is waited for.
  loading.catch(() => {})
  atEnd(async () => {
    stop.abort()
    await loading.catch(() => {})
  })
  progress.step('Warming up')
  await wait(WARM_UP_MS)

  const up: Window[] = []
  const down: Window[] = []
  for (let number = 1; number <= windows; number++) {
    progress.step(`Windows ${number} of ${windows}: ${windowSeconds} s with the store, ${windowSeconds} s without`)
    up.push(await windowOf(windowMs))
    await store.goDown()
    down.push(await windowOf(windowMs))
    await store.comeBack()
    await untilCaughtUp(bench)
    await wait(CALM_MS)
  }

  progress.step(`The store is down for ${minutes} min`)
  const coalesced = () => metricOf(processes.store, 'tributary_records_coalesced_total')
  const coalescedBefore = await coalesced()
  const sentBefore = changes.count
  await store.goDown()
  const outage: Window[] = []
  for (let number = 1; number <= windows; number++) {
    outage.push(await windowOf((minutes * 60_000) / windows))
    progress.update(number, windows)
  }
  progress.step('It is back')
  const changesMeanwhile = changes.count - sentBefore
  const requestsBefore = log.store.length
  const backAtMs = now()
  await store.comeBack()
  const { firstSeconds, seconds: catchUpSeconds } = await untilCaughtUp(bench)
  const requests = log.store.slice(requestsBefore).filter(({ atMs }) => atMs <= backAtMs + catchUpSeconds * 1000).length
  const catchingUp = { fromMs: backAtMs, toMs: now() }
  await wait(CALM_MS)
  const after = await windowOf(windowMs)

  progress.step('Letting all arrive, and comparing')
  const storeCoalesced = (await coalesced()) - coalescedBefore
  const answers = 'tributary_answers_total'
  const [crmAnswers, warehouseAnswers] = [
    await metricOf(processes.crm, answers),
    await metricOf(processes.warehouse, answers),
  ]
  stop.abort()
  await loading
  await untilQuiet(flow)
  await eventually(() => isCaughtUp(bench, changes.newest()), "the store's log is read")
  const unequal = await unequalProducts(bench, crm)
  await listener.unlisten()
  progress.end()
  if (unequal.length > 0) throw new Error(`unequal at the end, so this run is void: ${unequal.join(', ')}`)
  const compare = (subscriber: 'crm' | 'warehouse') =>
    compareWindows((window) => changes.latencies(seen[subscriber], window.fromMs, window.toMs), {
      up,
      down,
      outage,
      catchingUp,
      after,
    })
  const storeAfter = changes.latencies(seen.store, after.fromMs, after.toMs)
  return {
    ...options,
    changes: changes.count,
    crm: compare('crm'),
    warehouse: compare('warehouse'),
    store: {
      changesWhileDown: changesMeanwhile,
      coalesced: storeCoalesced,
      firstRequestAfterSeconds: round(firstSeconds),
      caughtUpAfterSeconds: round(catchUpSeconds),
      requestsUntilThen: requests,
      afterP50Ms: round(median(storeAfter)),
    },
    rowsEqual: true,
    otherAnswersThanApplied: { crm: crmAnswers, warehouse: warehouseAnswers },
    outOfOrder: { crm: goneBack(log.crm).length, store: goneBack(log.store).length },
    deadLettersEver: await lettersEver(flow),
  }
}

/** Tells of each commit that changes a product in the warehouse whose it was. The benchmark's own addition to the table. */
const WATCH_SQL = `
CREATE FUNCTION bench_seen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('bench_seen', NEW.revision::text); RETURN NULL; END $$;
CREATE TRIGGER bench_seen AFTER INSERT OR UPDATE ON products FOR EACH ROW EXECUTE FUNCTION bench_seen();
`

async function windowOf(ms: number): Promise<Window> {
  const fromMs = now()
  await wait(ms)
  return { fromMs, toMs: now() }
}

function isCaughtUp({ changes, seen }: Bench, numbers: readonly number[]): boolean {
  return numbers.every((number) => changes.hadAtMs(seen.store, number) !== undefined)
}

/** Waits until the store has everything that was changed before this call. Told are the seconds from now, by the store's own clock of arrivals. */
async function untilCaughtUp(bench: Bench): Promise<{ readonly firstSeconds: number; readonly seconds: number }> {
  const { changes, seen } = bench
  const backAtMs = now()
  const wanted = changes.newest()
  const deadline = backAtMs + CATCH_UP_MS_MAX
  while (!isCaughtUp(bench, wanted)) {
    if (now() > deadline) throw new Error(`the store did not catch up in ${CATCH_UP_MS_MAX} ms`)
    await wait(LOOK_MS)
  }
  let first = Number.POSITIVE_INFINITY
  for (const at of seen.store.values()) if (at >= backAtMs && at < first) first = at
  const last = Math.max(...wanted.map((number) => changes.hadAtMs(seen.store, number)!))
  return { firstSeconds: (first - backAtMs) / 1000, seconds: Math.max(0, last - backAtMs) / 1000 }
}

/** The subscribers that hold something else than the source, and of how many products. */
async function unequalProducts({ scene: { flow }, store }: Bench, crm: SandboxChild): Promise<string[]> {
  const wanted = await revisionsAtSource(flow)
  const there = {
    crm: await crm.revisions(),
    store: await store.revisions(),
    warehouse: await revisionsAtWarehouse(flow),
  }
  return Object.entries(there).flatMap(([subscriber, held]) => {
    const wrong = Object.keys({ ...wanted, ...held }).filter((key) => wanted[key] !== held[key])
    return wrong.length === 0 ? [] : [`${subscriber}: ${wrong.length} products`]
  })
}

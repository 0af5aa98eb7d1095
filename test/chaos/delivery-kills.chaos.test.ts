import { expect, onTestFinished, test } from 'vitest'
import { deadLetterTopic } from '../../schemas/topics.ts'
import { createFlow, type Flow, required } from '../support/flow.ts'
import { openGroupMembers } from '../support/group-members.ts'
import { ageLedger } from '../support/old-ledger.ts'
import { openRedisProxy } from '../support/proxies/redis-proxy.ts'
import { untilQuiet } from '../support/quiet.ts'
import { countRecords } from '../support/topics/topic-history.ts'
import { CRASH_POINTS, type CrashPoint, fateOf, killAt, untilAt } from './delivery/crash-points.ts'
import { declareItems, ITEMS_SQL, itemDifferences, keepChanging } from './delivery/items.ts'
import {
  dataverse,
  genericHttp,
  type Subscriber,
  salesforce,
  setBacks,
  shopify,
  WAREHOUSE_HISTORY,
  warehouse,
} from './delivery/subscribers.ts'
import { chosenSeed, type Random, seededRandom } from './workload/random.ts'

/** `KILLS` in the environment: how many in all; `SEED` repeats a run's choices; `ONLY` names one destination. */
const SEED = chosenSeed()
const KILLS = Number(process.env.KILLS ?? 25)
const TIMES = { timeoutMs: 4_000, lateRequestMs: 10_000 }
/** Before the time after which no lost request may take effect, with room for a machine that is slow; a process starts in about 2 s. */
const LANDS_WITHIN_MS = 7_000
const KILL_MS_MAX = 30_000

interface Killed {
  readonly point: CrashPoint
  readonly fate: string
}

test(`killed at every crash point, delivery loses nothing and sets nothing back (SEED=${SEED} KILLS=${KILLS})`, {
  timeout: 400_000 + KILLS * KILL_MS_MAX,
}, async () => {
  const all = [
    warehouse(),
    ...(await Promise.all([genericHttp, salesforce, dataverse, shopify].map((open) => open(TIMES)))),
  ]
  const subscribers = all.filter(({ name }) => process.env.ONLY === undefined || name === process.env.ONLY)
  onTestFinished(async () => void (await Promise.all(all.map((subscriber) => subscriber.close()))))
  const flow = await createFlow(declareItems(subscribers), ITEMS_SQL)
  onTestFinished(() => flow.close(), 120_000)
  await flow.provision()
  if (subscribers.some(({ name }) => name === 'warehouse')) await flow.warehouse.unsafe(WAREHOUSE_HISTORY)
  await ageLedger(flow)
  const capture = flow.start('capture', 'erp')
  const changes = keepChanging(flow, SEED)
  const killed = new Map<string, Killed[]>()
  const rounds = Math.ceil(KILLS / subscribers.length)
  await Promise.all(subscribers.map((subscriber) => killInTurn(flow, subscriber, rounds, killed)))
  const changed = await changes.stop()

  const story = () => `SEED=${SEED}\n${JSON.stringify([...killed])}\n${capture.log()}`
  await untilQuiet(flow).catch((error) => {
    throw new Error(story(), { cause: error })
  })
  for (const subscriber of subscribers) {
    expect(await itemDifferences(flow, subscriber), story()).toEqual([])
    if (subscriber.compares) expect(setBacks(await subscriber.revisions(flow)), story()).toEqual([])
    expect(await countRecords(flow, deadLetterTopic(flow.prefix, subscriber.name)), story()).toBe(0)
  }
  console.log(`SEED=${SEED}: ${changed} changes; ${summary(killed)}`)
})

/** Starts a process, kills it at a point, and so on; the last one goes on. */
async function killInTurn(
  flow: Flow,
  subscriber: Subscriber,
  rounds: number,
  killed: Map<string, Killed[]>,
): Promise<void> {
  const random = seededRandom(SEED, subscriber.name)
  const done: Killed[] = []
  killed.set(subscriber.name, done)
  const ledger = await openRedisProxy(required('TRIBUTARY_REDIS_URL'))
  onTestFinished(() => ledger.close())
  const members = await openGroupMembers()
  const groupId = `${flow.prefix}.${subscriber.name}.standard`
  const settings = { TRIBUTARY_REDIS_URL: ledger.url, ...(await subscriber.settings(flow)) }
  const start = () => flow.startWith(settings, 'deliver', subscriber.name)
  const landings: Promise<void>[] = []
  try {
    for (const point of pointsOf(random, rounds)) {
      const process = start()
      const hold = await untilAt(point, ledger, subscriber, random).catch((error) => {
        throw new Error(`SEED=${SEED} ${subscriber.name}, after ${JSON.stringify(done)}:\n${process.log()}`, {
          cause: error,
        })
      })
      const fate = fateOf(random, LANDS_WITHIN_MS)
      done.push({ point, fate: fate.kind })
      const { landed } = await killAt(process, hold, fate)
      landings.push(landed)
      for (const member of await members.of(groupId)) await members.remove(groupId, member)
    }
    await Promise.all(landings)
    start()
  } finally {
    await members.close()
  }
}

/** Each point as often as any other, in a random order. */
function pointsOf(random: Random, rounds: number): CrashPoint[] {
  const points: CrashPoint[] = []
  while (points.length < rounds) {
    const left = [...CRASH_POINTS]
    while (left.length > 0) points.push(...left.splice(random.below(left.length), 1))
  }
  return points.slice(0, rounds)
}

function summary(killed: ReadonlyMap<string, readonly Killed[]>): string {
  return [...killed]
    .map(([name, kills]) => {
      const counts = CRASH_POINTS.map((point) => `${point} ${kills.filter((kill) => kill.point === point).length}`)
      return `${name}: ${kills.length} kills (${counts.join(', ')})`
    })
    .join('; ')
}

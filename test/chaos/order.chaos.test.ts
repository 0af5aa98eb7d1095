import { expect, onTestFinished, test } from 'vitest'
import { pause } from '../../connectors/pause.ts'
import { verifyTopic } from '../../ops/verify/verify-topic.ts'
import { createFlow, eventually, type Flow, required } from '../support/flow.ts'
import { openKafkaProxy } from '../support/proxies/kafka-proxy.ts'
import { untilCaptured, untilSnapshotted } from '../support/quiet.ts'
import { alterTopics, EAGER_COMPACTION } from '../support/topics/compaction.ts'
import { storiesOf, topicDifferences } from '../support/topics/topic-state.ts'
import { startCaptures } from './workload/captures.ts'
import { inflict, planFaults } from './workload/order-faults.ts'
import { chosenSeed, seededRandom } from './workload/random.ts'
import { startSessions } from './workload/sessions.ts'
import { declare, SOURCE_SQL, TABLES } from './workload/tables.ts'

const CHAOS_MS = 1_000 * Number(process.env.CHAOS_SECONDS ?? 25)
const RUNS = Number(process.env.CHAOS_RUNS ?? 1)
const SESSIONS = 2
/** A capture process that has the slot, and one that waits for it. */
const MEMBERS = 2
const FIRST_SEED = chosenSeed()
const QUIET_MS = 120_000

for (let run = 0; run < RUNS; run++) {
  const seed = FIRST_SEED + run
  test(
    `with snapshots, takeovers and lost answers, every key ends with its newest version, which is the table's row (SEED=${seed})`,
    { timeout: CHAOS_MS + 400_000 },
    () => runChaos(seed),
  )
}

async function runChaos(seed: number): Promise<void> {
  const proxies = await Promise.all(
    Array.from({ length: MEMBERS }, () => openKafkaProxy(required('TRIBUTARY_KAFKA_BROKERS').split(',')[0]!)),
  )
  onTestFinished(() => Promise.all(proxies.map((proxy) => proxy.close())).then(() => {}))
  const flow = await createFlow(declare, SOURCE_SQL)
  onTestFinished(() => flow.close(), 120_000)
  await flow.provision()
  // On every third run old records go while it lasts.
  if (seed % 3 === 0)
    await alterTopics(
      flow.environment(),
      TABLES.map(({ entity }) => `${flow.prefix}.${entity}`),
      EAGER_COMPACTION,
    )
  const captures = startCaptures(flow, proxies)
  const sessions = startSessions(flow, seed, SESSIONS)
  const faults = planFaults(seededRandom(seed, 'faults'), CHAOS_MS, MEMBERS)
  const story = () =>
    `SEED=${seed}, ${JSON.stringify(sessions.done())}\n${faults.map((one) => JSON.stringify(one)).join('\n')}\n${captures.log()}`

  const beganMs = performance.now()
  const { signal } = new AbortController()
  for (const fault of faults) {
    await pause(Math.max(0, beganMs + fault.atMs - performance.now()), signal)
    await inflict(flow, captures, fault)
  }
  await pause(Math.max(0, beganMs + CHAOS_MS - performance.now()), signal)
  await sessions.stop()
  captures.heal()
  try {
    await untilCaptured(flow, QUIET_MS)
    await untilSnapshotted(flow, QUIET_MS)
    // A slot that was made anew stands past everything before its snapshots have begun.
    await eventually(async () => (await allDifferences(flow)).length === 0, 'the topics equal the tables', QUIET_MS)
  } catch (error) {
    throw new Error(`${(await wrong(flow)).join('\n')}\n${story()}`, { cause: error })
  }
  expect(await captures.stop().then((codes) => codes.filter(Boolean)), story()).toEqual([])
  expect(await wrong(flow), story()).toEqual([])
  expect(sessions.done().ended, 'the workload did something').toBeGreaterThan(50)
}

async function allDifferences(flow: Flow): Promise<string[]> {
  const found: string[] = []
  for (const table of TABLES) found.push(...(await topicDifferences(flow, table)))
  return found
}

/** What is wrong with the topics, with the stories of the keys that it concerns. */
async function wrong(flow: Flow): Promise<string[]> {
  const { kafka, declaration } = flow.environment()
  const found = await allDifferences(flow)
  for (const { entity } of TABLES) {
    const { stale, unreadable, ok } = await verifyTopic(kafka, declaration.kafka.brokers, `${flow.prefix}.${entity}`)
    if (ok) continue
    const keys = stale.named.map(({ key }) => key)
    found.push(JSON.stringify({ entity, stale: stale.count, unreadable }), ...(await storiesOf(flow, entity, keys)))
  }
  return found
}

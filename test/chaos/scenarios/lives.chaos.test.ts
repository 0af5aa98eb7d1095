import { expect, onTestFinished, test } from 'vitest'
import { type KafkaAdmin, openAdmin } from '../../../connectors/kafka/admin.ts'
import { entityTopic, positionsTopic } from '../../../schemas/topics.ts'
import { eventually, type Flow, type FlowProcess, required } from '../../support/flow.ts'
import { type KafkaProxy, openKafkaProxy } from '../../support/proxies/kafka-proxy.ts'
import { readHistory } from '../../support/topics/topic-history.ts'
import { keepChanging } from '../delivery/items.ts'
import { type Subscriber, warehouse } from '../delivery/subscribers.ts'
import { chosenSeed } from '../workload/random.ts'
import { endWell, expectGuarantees, openScene, put, type Scene, untilHeld } from './scene.ts'

const SEED = chosenSeed()
const ROUNDS = 2

/** A moment in the life of a capture. Resolves when it is there. */
type Moment = (flow: Flow, proxy: KafkaProxy, admin: KafkaAdmin) => Promise<void>

const MOMENTS: Readonly<Record<string, Moment>> = {
  'it has the slot': ({ source }) =>
    untilMoment(async () => {
      const [slot] =
        await source`SELECT active FROM pg_replication_slots WHERE database = current_database() AND NOT temporary`
      return slot?.active === true
    }),
  'it asks for its producer id': (_flow, proxy) => proxy.holdProducerId().arrived,
  'its first batch is published': ({ prefix }, _proxy, admin) => untilGrown(admin, entityTopic(prefix, 'item')),
  'its next batch is appended, and it has no answer': async ({ prefix }, proxy, admin) => {
    await untilGrown(admin, entityTopic(prefix, 'item'))
    proxy.loseAnswers(Number.POSITIVE_INFINITY)
    await untilGrown(admin, entityTopic(prefix, 'item'), positionsTopic(prefix))
  },
  'it has stored a position': ({ prefix }, _proxy, admin) => untilGrown(admin, positionsTopic(prefix)),
}

/**
 * While items change all the time, capture is started and killed at each moment of its beginning in turn, so that no life goes far; then one is
 * left alone.
 */
test(`a capture that is killed again and again as soon as it begins loses nothing, and the life that is left to it catches up (SEED=${SEED})`, {
  timeout: 400_000,
}, async () => {
  const { scene, sql, admin } = await openLives()
  const { flow } = scene
  const delivery = await scene.deliver(sql)
  await begin(scene, sql, scene.start({}, 'capture', 'erp'))
  const changes = keepChanging(flow, SEED)
  for (const [name, moment] of Object.entries(MOMENTS)) {
    const proxy = await openKafkaProxy(required('TRIBUTARY_KAFKA_BROKERS').split(',')[0]!)
    onTestFinished(() => proxy.close())
    const there = moment(flow, proxy, admin)
    const life = scene.start({ TRIBUTARY_KAFKA_BROKERS: proxy.address }, 'capture', 'erp')
    await Promise.race([there, life.exited]).catch((error) => {
      throw new Error(`until ${name}\n${life.log()}`, { cause: error })
    })
    expect(life.child.exitCode, life.log()).toBeNull()
    life.kill('SIGKILL')
    await life.exited
  }
  const last = scene.start({}, 'capture', 'erp')
  await changes.stop()
  await expectGuarantees(scene)
  await endWell(scene, last, delivery)
})

/**
 * While items change all the time: capture, then one of two deliveries, then the other is asked to end, ends, and is started again; twice.
 */
test(`graceful restarts under load lose nothing, and publish nothing twice (SEED=${SEED})`, {
  timeout: 400_000,
}, async () => {
  const { scene, sql } = await openLives()
  const { flow } = scene
  const starts = [
    async () => scene.start({}, 'capture', 'erp'),
    () => scene.deliver(sql),
    () => scene.deliver(sql),
  ] as const
  await begin(scene, sql, await starts[0](), await starts[1]())
  const running: FlowProcess[] = await Promise.all(starts.map((start) => start()))
  const changes = keepChanging(flow, SEED)
  for (let round = 0; round < ROUNDS; round++)
    for (const [at, start] of starts.entries()) {
      const name = `before restart ${round}.${at}`
      await put(flow, 'k', name)
      await untilHeld(scene, sql, 'k', name)
      await endWell(scene, running[at]!)
      running[at] = await start()
    }
  await changes.stop()
  await expectGuarantees(scene)
  expect(await publishedTwice(scene), scene.story()).toEqual([])
  await endWell(scene, ...running)
})

/** What was there before the first snapshot need not be on the topic in every state: so that comes first. */
async function begin(scene: Scene, sql: Subscriber, ...first: readonly FlowProcess[]): Promise<void> {
  await put(scene.flow, 'k', 'first')
  await untilHeld(scene, sql, 'k', 'first')
  await endWell(scene, ...first)
}

async function openLives() {
  const sql = warehouse()
  const scene = await openScene([sql])
  onTestFinished(() => scene.close(), 120_000)
  const { kafka, declaration } = scene.flow.environment()
  const admin = await openAdmin(kafka, declaration.kafka.brokers)
  onTestFinished(() => admin.close())
  return { scene, sql, admin }
}

const MOMENT_WITHIN_MS = 120_000

async function untilMoment(isThere: () => Promise<boolean>): Promise<void> {
  await eventually(isThere, 'the moment comes', MOMENT_WITHIN_MS)
}

/** Waits until one of these topics has more records than now. */
async function untilGrown(admin: KafkaAdmin, ...topics: readonly string[]): Promise<void> {
  const end = async () => {
    const partitions = await Promise.all(topics.map((topic) => admin.topicOffsets(topic)))
    return partitions.flat().reduce((sum, { high }) => sum + high, 0n)
  }
  const before = await end()
  await untilMoment(async () => (await end()) > before)
}

/** Changes that are on the topic more than once. */
async function publishedTwice({ flow }: Scene): Promise<string[]> {
  const histories = await readHistory(flow, 'item')
  return [...histories].flatMap(([key, entries]) => {
    const versions = entries.map(({ version }) => Object.values(version).join('/'))
    return versions.filter((version, at) => versions.indexOf(version) < at).map((version) => `${key}: ${version} again`)
  })
}

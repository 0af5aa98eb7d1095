import { expect, onTestFinished, test } from 'vitest'
import { readTopic } from '../../../connectors/kafka/read-topic.ts'
import { deadLetterTopic } from '../../../schemas/topics.ts'
import { eventually, required } from '../../support/flow.ts'
import { type KafkaProxy, openKafkaProxy } from '../../support/proxies/kafka-proxy.ts'
import { untilCaptured, untilQuiet } from '../../support/quiet.ts'
import { countRecords, readHistory } from '../../support/topics/topic-history.ts'
import { warehouse } from '../delivery/subscribers.ts'
import { endWell, expectGuarantees, openScene, put, type Scene, untilHeld } from './scene.ts'
import { openSearch } from './search.ts'

/** The library sends a request again so often by itself, with the same sequence number; then the result stays unknown. */
const BEYOND_THE_LIBRARY = 8
const ROWS = 50

async function kafkaProxy(): Promise<KafkaProxy> {
  const proxy = await openKafkaProxy(required('TRIBUTARY_KAFKA_BROKERS').split(',')[0]!)
  onTestFinished(() => proxy.close())
  return proxy
}

async function changeAll(scene: Scene, name: string): Promise<void> {
  await scene.flow
    .source`INSERT INTO items SELECT 'i-' || i, ${name}, NULL, nextval('revisions') FROM generate_series(1, ${ROWS}::int) i
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, revision = excluded.revision`
}

/**
 * capture sends a batch → the broker appends it → the connection ends before the answer: once, so that the library sends it again; then for as
 * long as the library tries, so that a new producer begins at the last stored position; then again, with the process killed while it waits.
 */
test('when the answer to a produce request is lost after the append, nothing is lost and nothing old comes last', {
  timeout: 400_000,
}, async () => {
  const sql = warehouse()
  const scene = await openScene([sql])
  onTestFinished(() => scene.close(), 120_000)
  const proxy = await kafkaProxy()
  const through = { TRIBUTARY_KAFKA_BROKERS: proxy.address }
  const first = scene.start(through, 'capture', 'erp')
  const delivery = await scene.deliver(sql)
  await changeAll(scene, 'first')
  await untilHeld(scene, sql, 'i-1', 'first')

  proxy.loseAnswers(1)
  await changeAll(scene, 'lost once')
  await untilHeld(scene, sql, `i-${ROWS}`, 'lost once')
  expect(first.log(), 'the library sends it again by itself').not.toContain('trying again')
  expect(await recordsSaying(scene, 'lost once'), 'the broker knows the sequence numbers').toBe(ROWS)

  proxy.loseAnswers(BEYOND_THE_LIBRARY)
  await changeAll(scene, 'lost for good')
  await changeAll(scene, 'after it')
  await eventually(() => first.log().includes('trying again'), 'capture gives its producer up', 60_000)
  proxy.heal()
  await untilHeld(scene, sql, 'i-1', 'after it')
  expect(await recordsSaying(scene, 'lost for good'), 'it was appended, and was sent again').toBeGreaterThan(ROWS)

  await untilCaptured(scene.flow)
  proxy.loseAnswers(BEYOND_THE_LIBRARY)
  await changeAll(scene, 'before the kill')
  await eventually(async () => (await recordsSaying(scene, 'before the kill')) >= ROWS, 'the broker has it')
  first.kill('SIGKILL')
  await first.exited
  proxy.heal()
  const second = scene.start(through, 'capture', 'erp')
  await changeAll(scene, 'after the kill')
  await expectGuarantees(scene)
  await endWell(scene, second, delivery)
})

/** How many records of the items' topic have this name. */
async function recordsSaying({ flow }: Scene, name: string): Promise<number> {
  const histories = await readHistory(flow, 'item')
  return [...histories.values()].flat().filter(({ content }) => content?.includes(`"${name}"`)).length
}

/**
 * the subscriber refuses a record → its letter is appended → the connection ends before the answer, for as long as the library tries → the record
 * comes again and is refused again → its letter is written again; then the same with the tombstone that ends it.
 */
test('when the answer to the writing of a dead letter is lost, the letter is there, its offset waits for it, and it ends', {
  timeout: 400_000,
}, async () => {
  const { search, sandbox } = await openSearch()
  const scene = await openScene([search])
  onTestFinished(() => scene.close(), 120_000)
  const { flow } = scene
  const proxy = await kafkaProxy()
  const capture = scene.start({}, 'capture', 'erp')
  const delivery = await scene.deliver(search, { TRIBUTARY_KAFKA_BROKERS: proxy.address })
  await put(flow, 'good', 'good')
  await untilHeld(scene, search, 'good', 'good')
  const letters = deadLetterTopic(flow.prefix, 'search')

  await sandbox.misbehave({ rejectKeys: ['bad'] })
  proxy.loseAnswers(BEYOND_THE_LIBRARY)
  await put(flow, 'bad', 'refused')
  await eventually(async () => (await lettersWritten(scene, letters)) > 1, 'the letter is written again', 60_000)
  proxy.heal()
  await put(flow, 'good', 'better')
  await untilQuiet(flow)
  await untilHeld(scene, search, 'good', 'better')
  expect(await countRecords(flow, letters), scene.story()).toBe(1)
  expect((await search.held(flow)).get('bad')).toBeUndefined()

  await sandbox.misbehave({})
  const before = await lettersWritten(scene, letters)
  proxy.loseAnswers(BEYOND_THE_LIBRARY)
  await put(flow, 'bad', 'taken now')
  await eventually(async () => (await lettersWritten(scene, letters)) > before + 1, 'it is ended again', 60_000)
  proxy.heal()
  await expectGuarantees(scene)
  await endWell(scene, capture, delivery)
})

async function lettersWritten({ flow }: Scene, topic: string): Promise<number> {
  const { declaration, kafka } = flow.environment()
  let written = 0
  await readTopic(kafka, declaration.kafka.brokers, topic, () => {
    written++
  })
  return written
}

import { afterAll, beforeAll, expect, test } from 'vitest'
import { openAdmin } from '../../../connectors/kafka/admin.ts'
import { connectKafka } from '../../../connectors/kafka/client.ts'
import { readTopic } from '../../../connectors/kafka/read-topic.ts'
import { type OwnTopics, ownTopics, recordFor } from './own-topics.ts'

let own: OwnTopics

beforeAll(async () => {
  own = await ownTopics()
})

afterAll(async () => {
  await own?.close()
})

async function keysOf(topic: string): Promise<string[]> {
  const keys: string[] = []
  await readTopic(own.kafka, own.brokers, topic, ({ key }) => keys.push(String(key)))
  return keys
}

test('new topics can be written and read as soon as they are made', async () => {
  const topics = ['one', 'two', 'three'].map((name) => own.name(name))
  await own.make('one', { partitions: 6 })
  await own.make('two', { partitions: 6 })
  await own.make('three', { partitions: 6 })
  await own.send(topics.flatMap((topic) => ['a', 'b', 'c', 'd', 'e'].map((key) => recordFor(topic, key))))
  for (const topic of topics) expect((await keysOf(topic)).sort()).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('a config that is set leaves every other one as it is', async () => {
  const configs = { 'cleanup.policy': 'compact', 'segment.ms': '3600000', 'min.compaction.lag.ms': '1000' }
  const topic = await own.make('altered', { partitions: 2, configs })
  await own.admin.alterTopic(topic, { 'segment.ms': '7200000', 'max.message.bytes': '2000000' })
  const names = [...Object.keys(configs), 'max.message.bytes', 'retention.ms']
  const found = (await own.admin.describeTopics([topic, own.name('absent')], names)).get(topic)
  expect(found).toMatchObject({ topic, partitions: 2, replication: 1 })
  expect(found!.configs).toMatchObject({ ...configs, 'segment.ms': '7200000', 'max.message.bytes': '2000000' })
})

test('a topic is read to where it ended, over all partitions, and an empty one is nothing', async () => {
  const topic = await own.make('several', { partitions: 4 })
  expect(await keysOf(topic)).toEqual([])
  await own.send([recordFor(topic, 'only')])
  expect(await keysOf(topic)).toEqual(['only'])
  const keys = Array.from({ length: 500 }, (_, index) => `k${index}`)
  await own.send(keys.map((key) => recordFor(topic, key)))
  expect((await keysOf(topic)).sort()).toEqual(['only', ...keys].sort())
})

test('a topic whose records were all deleted is nothing', async () => {
  const topic = await own.make('emptied')
  await own.send([recordFor(topic, 'a'), recordFor(topic, 'b')])
  const plain = own.kafka.admin()
  await plain.connect()
  // The library deletes records only of a topic that it has looked at.
  await plain.fetchTopicOffsets(topic)
  await plain.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '-1' }] })
  await plain.disconnect()
  expect(await own.admin.topicOffsets(topic)).toEqual([{ partition: 0, low: 2n, high: 2n }])
  expect(await keysOf(topic)).toEqual([])
})

test('reading a topic that does not exist names it', async () => {
  await expect(keysOf(own.name('absent'))).rejects.toMatchObject({
    code: 'topic-missing',
    message: expect.stringContaining('absent'),
  })
})

test('brokers that do not answer are named', async () => {
  const kafka = connectKafka({ brokers: ['127.0.0.1:1'], clientId: 'test', log: () => {} })
  await expect(openAdmin(kafka, ['127.0.0.1:1'])).rejects.toMatchObject({
    code: 'kafka-unreachable',
    message: expect.stringContaining('127.0.0.1:1'),
  })
})

test('brokers say what they are set to, and where partitions are', async () => {
  const topic = await own.make('placed', { partitions: 2 })
  const [broker, ...others] = await own.admin.brokers()
  expect(others).toEqual([])
  expect(await own.admin.brokerSettings(['auto.create.topics.enable'])).toEqual([
    { broker, settings: { 'auto.create.topics.enable': 'false' } },
  ])
  const places = await own.admin.replicas([topic])
  expect(places.toSorted((a, b) => a.partition - b.partition)).toEqual(
    [0, 1].map((partition) => ({ topic, partition, replicas: 1, inSync: 1 })),
  )
  expect(await own.admin.replicas([])).toEqual([])
})

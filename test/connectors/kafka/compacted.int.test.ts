import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Kafka } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openAdmin } from '../../../connectors/kafka/admin.ts'
import { connectKafka } from '../../../connectors/kafka/client.ts'
import { createGroupConsumer } from '../../../connectors/kafka/consumer.ts'
import { createProducer } from '../../../connectors/kafka/producer.ts'
import { readTopic } from '../../../connectors/kafka/read-topic.ts'
import { scanTopic } from '../../../connectors/kafka/scan-topic.ts'
import { eventually, required } from '../../support/flow.ts'
import { EAGER_COMPACTION, SEGMENT_MS } from '../../support/topics/compaction.ts'

/*
 * The first segment of the topic is written by one producer in two batches, of which compaction leaves this:
 *   offsets 0 to 9: 0, 1 and 2 remain · offset 10: nothing remains, but the batch is kept as the last one of its producer
 * so a member that begins at 5 or at 10 is sent no record that it may see, although there are more in the next segment.
 */
const prefix = `t${randomBytes(4).toString('hex')}`
const topic = `${prefix}.compacted`
/** Compaction joins neighbours that are smaller together, and a fetch of both would hide what this is about. */
const SEGMENT_BYTES = String(1024 * 1024)
const VALUE = Buffer.alloc(200_000)
let kafka: Kafka
let brokers: string[]

beforeAll(async () => {
  brokers = required('TRIBUTARY_KAFKA_BROKERS').split(',')
  kafka = connectKafka({ brokers, clientId: prefix, log: () => {} })
  const admin = await openAdmin(kafka, brokers)
  const configs = { 'cleanup.policy': 'compact', ...EAGER_COMPACTION, 'segment.bytes': SEGMENT_BYTES }
  await admin.createTopics([{ topic, partitions: 1, replication: 1, configs }])
  await admin.close()
  await write([...keys('kept', 3), ...keys('gone', 7)], ['gone 0'])
  // Not a wait for something to happen: the age at which the next record starts a segment.
  await delay(2 * SEGMENT_MS)
  await write([...keys('gone', 7), ...keys('kept too', 4)])
  await delay(2 * SEGMENT_MS)
  await write(['roll'])
  await eventually(async () => (await offsets()).slice(0, 4).join() === '0,1,2,11', 'the first segment is compacted')
}, 90_000)

afterAll(async () => {
  const admin = kafka.admin()
  await admin.connect()
  await admin.deleteTopics({ topics: [topic] })
  await admin.disconnect()
})

function keys(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${name} ${at}`)
}

/** A batch for each list of keys, all by one producer. */
async function write(...batches: string[][]): Promise<void> {
  const producer = createProducer(kafka)
  await producer.connect()
  for (const batch of batches)
    await producer.send(
      batch.map((key) => ({ topic, key, value: key.startsWith('kept') ? VALUE : Buffer.from(key), headers: {} })),
    )
  await producer.close()
}

async function offsets(): Promise<bigint[]> {
  const found: bigint[] = []
  await readTopic(kafka, brokers, topic, ({ offset }) => found.push(offset))
  return found
}

test.each([
  ['inside a batch of which only earlier records remain', '5'],
  ['at a batch of which nothing remains', '10'],
])('a group that committed %s reads on behind it', async (_what, committed) => {
  const groupId = `${prefix}.from-${committed}`
  const admin = kafka.admin()
  await admin.connect()
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: committed }] })
  const seen: bigint[] = []
  const crashed: Error[] = []
  const consumer = createGroupConsumer(kafka, {
    groupId,
    topics: [topic],
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    onRecords: async (records) => {
      for (const { offset } of records) seen.push(offset)
    },
    onAssigned: () => {},
    onRevoked: () => {},
    onHeartbeat: () => {},
    onCrash: (error) => crashed.push(error),
  })
  try {
    await consumer.start()
    await eventually(() => crashed.length > 0 || seen.at(-1) === 22n, 'the last record is read', 30_000)
  } finally {
    await consumer.close()
    await admin.deleteGroups([groupId])
    await admin.disconnect()
  }
  expect(crashed).toEqual([])
  expect(seen).toEqual(Array.from({ length: 12 }, (_, at) => BigInt(11 + at)))
})

test.each([
  ['begins and ends inside a batch of which only earlier records remain', '5', '8', []],
  ['ends with a batch of which nothing remains', '1', '11', [1n, 2n]],
  ['begins with a batch of which nothing remains', '10', '13', [11n, 12n]],
])('a scan of a range that %s comes to its end', async (_what, next, end, wanted) => {
  const seen: bigint[] = []
  let rest = {}
  const batches = scanTopic(kafka, brokers, topic, { 0: { next, end } }, new AbortController().signal)
  for await (const batch of batches) {
    for (const { offset } of batch.records) seen.push(offset)
    rest = batch.rest
  }
  expect(seen).toEqual(wanted)
  expect(rest).toEqual({})
})

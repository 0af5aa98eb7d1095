import { afterAll, beforeAll, expect, test } from 'vitest'
import { createProducer, type OutgoingRecord } from '../../connectors/kafka/producer.ts'
import { verifyTopic } from '../../ops/verify/verify-topic.ts'
import { createPublished, PUBLISHED_RECORDS_MAX } from '../../producers/published.ts'
import { type OwnTopics, ownTopics } from '../connectors/kafka/own-topics.ts'
import { at, deleteAt, valueAt } from '../support/topics/topic-records.ts'

let own: OwnTopics

beforeAll(async () => {
  own = await ownTopics()
})

afterAll(async () => {
  await own?.close()
})

/** The prefix of the topics that {@link OwnTopics.make} makes. */
const prefix = () => own.name('').slice(0, -1)

/** Publishes what is given, with `before` first; as the pipeline's queue does. */
function opened(flush: (records: readonly OutgoingRecord[]) => Promise<void>) {
  return createPublished({ kafka: own.kafka, brokers: own.brokers, prefix: prefix(), source: 'erp', flush })
}

test('what was handed out is on its topic before its range is taken and before it is read', async () => {
  const topic = await own.make('customer')
  let flushes = 0
  const { publishedRange, published } = opened(async () => {
    flushes++
    await own.send([{ topic, key: `flush ${flushes}`, value: valueAt(at(flushes)), headers: {} }])
  })
  const range = await publishedRange('customer')
  expect(range).toEqual({ 0: { next: '0', end: '1' } })
  const batches = []
  for await (const batch of published('customer', { 0: { next: '0', end: '2' } })) batches.push(batch)
  const keys = batches.flatMap(({ records }) => records.map(({ key }) => key))
  expect(keys).toEqual(['flush 1', 'flush 2'])
})

test('once a topic is read back, a former writer of the source appends nothing to any of its partitions', async () => {
  const topic = await own.make('product', { partitions: 4 })
  const keys = Array.from({ length: 40 }, (_, number) => `key ${number}`)
  const record = (key: string, version: number) => ({ topic, key, value: valueAt(at(version)), headers: {} })
  const former = createProducer(own.kafka, prefix())
  const present = createProducer(own.kafka, prefix())
  try {
    await former.connect()
    await former.send(keys.map((key) => record(key, 1)))
    await present.connect()
    const { publishedRange, published } = opened((records) =>
      records.length === 0 ? Promise.resolve() : present.send(records),
    )
    const range = await publishedRange('product')
    await expect(former.send([record('late', 1)])).rejects.toMatchObject({ code: 'publish-failed' })
    const found = new Set<string>()
    for await (const { records } of published('product', range)) for (const { key } of records) found.add(key)
    expect([...found].sort()).toEqual([...keys].sort())
    // Fences are on every partition, once.
    expect(await publishedRange('product')).toEqual(range)
    expect((await verifyTopic(own.kafka, own.brokers, topic)).ok).toBe(true)
  } finally {
    await Promise.allSettled([former.close(), present.close()])
  }
})

test('a topic is told in bounded batches, and its rest is read on by another reader', async () => {
  const topic = await own.make('order', { partitions: 2 })
  const keys = Array.from({ length: 2 * PUBLISHED_RECORDS_MAX + 500 }, (_, number) => `key ${number}`)
  await own.send(keys.map((key, number) => ({ topic, key, value: valueAt(at(number)), headers: {} })))
  await own.send(keys.slice(0, 10).map((key) => ({ topic, key, value: null, headers: deleteAt(at(9_000)) })))
  const open = () => opened(async () => {})
  const state = new Map<string, boolean>()
  let rest = await open().publishedRange('order')
  while (Object.keys(rest).length > 0) {
    for await (const batch of open().published('order', rest)) {
      expect(batch.records.length).toBeLessThanOrEqual(PUBLISHED_RECORDS_MAX)
      for (const { key, deleted } of batch.records) state.set(key, deleted)
      rest = batch.rest
      break
    }
  }
  expect([...state.keys()].sort()).toEqual([...keys].sort())
  expect([...state].filter(([, deleted]) => deleted).map(([key]) => key)).toHaveLength(10)
})

test('a failure to make it durable is the failure of the reading', async () => {
  await own.make('customer-2')
  const { publishedRange } = opened(() => Promise.reject(new Error('the producer is spent')))
  await expect(publishedRange('customer-2')).rejects.toThrow('the producer is spent')
})

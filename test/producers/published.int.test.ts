import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPublished, PUBLISHED_RECORDS_MAX } from '../../producers/published.ts'
import { type OwnTopics, ownTopics } from '../connectors/kafka/own-topics.ts'
import { at, deleteAt, valueAt } from '../support/topic-records.ts'

let own: OwnTopics

beforeAll(async () => {
  own = await ownTopics()
})

afterAll(async () => {
  await own?.close()
})

/** The prefix of the topics that {@link OwnTopics.make} makes. */
const prefix = () => own.name('').slice(0, -1)

test('what was handed out is on its topic before its range is taken and before it is read', async () => {
  const topic = await own.make('customer')
  let flushes = 0
  const { publishedRange, published } = createPublished({
    kafka: own.kafka,
    brokers: own.brokers,
    prefix: prefix(),
    flushed: async () => {
      flushes++
      await own.send([{ topic, key: `flush ${flushes}`, value: valueAt(at(flushes)), headers: {} }])
    },
  })
  const range = await publishedRange('customer')
  expect(range).toEqual({ 0: { next: '0', end: '1' } })
  const batches = []
  for await (const batch of published('customer', { 0: { next: '0', end: '2' } })) batches.push(batch)
  const keys = batches.flatMap(({ records }) => records.map(({ key }) => key))
  expect(keys).toEqual(['flush 1', 'flush 2'])
})

test('a topic is told in bounded batches, and its rest is read on by another reader', async () => {
  const topic = await own.make('order', { partitions: 2 })
  const keys = Array.from({ length: 2 * PUBLISHED_RECORDS_MAX + 500 }, (_, number) => `key ${number}`)
  await own.send(keys.map((key, number) => ({ topic, key, value: valueAt(at(number)), headers: {} })))
  await own.send(keys.slice(0, 10).map((key) => ({ topic, key, value: null, headers: deleteAt(at(9_000)) })))
  const open = () =>
    createPublished({ kafka: own.kafka, brokers: own.brokers, prefix: prefix(), flushed: async () => {} })
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
  const flushed = () => Promise.reject(new Error('the producer is spent'))
  const { publishedRange } = createPublished({ kafka: own.kafka, brokers: own.brokers, prefix: prefix(), flushed })
  await expect(publishedRange('customer')).rejects.toThrow('the producer is spent')
})

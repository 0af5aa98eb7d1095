import { createRequire } from 'node:module'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ScannedBatch, scanTopic, topicRange } from '../../../connectors/kafka/scan-topic.ts'
import type { PublishedRange } from '../../../connectors/source.ts'
import { eventually } from '../../support/flow.ts'
import { type OwnTopics, ownTopics, recordFor } from './own-topics.ts'

let own: OwnTopics

beforeAll(async () => {
  own = await ownTopics()
})

afterAll(async () => {
  await own?.close()
})

const { signal: never } = new AbortController()
const scan = (topic: string, range: PublishedRange, signal = never) =>
  scanTopic(own.kafka, own.brokers, topic, range, signal)
const rangeOf = (topic: string) => topicRange(own.kafka, own.brokers, topic)

async function allOf(batches: AsyncIterable<ScannedBatch>): Promise<ScannedBatch[]> {
  const all: ScannedBatch[] = []
  for await (const batch of batches) all.push(batch)
  return all
}

const placesOf = (batches: readonly ScannedBatch[]) =>
  batches.flatMap(({ records }) => records.map(({ partition, offset }) => `${partition}/${offset}`))

/** Large, so that a fetch holds two or three of them. */
const LARGE_BYTES = 400_000
async function sendLarge(topic: string, count: number): Promise<void> {
  const value = Buffer.alloc(LARGE_BYTES)
  for (let at = 0; at < count; at++) await own.send([{ topic, key: `large ${at}`, value, headers: {} }])
}

test('a range is read from its first offsets to its ends, and nothing that came later', async () => {
  const topic = await own.make('range', { partitions: 3 })
  await own.send(Array.from({ length: 30 }, (_, at) => recordFor(topic, `key ${at}`)))
  const range = await rangeOf(topic)
  await own.send(Array.from({ length: 30 }, (_, at) => recordFor(topic, `later ${at}`)))
  const keys = (await allOf(scan(topic, range))).flatMap(({ records }) => records.map(({ key }) => String(key)))
  expect(keys.sort()).toEqual(Array.from({ length: 30 }, (_, at) => `key ${at}`).sort())
  const [partition, { end }] = Object.entries(range)[0] as [string, { end: string }]
  const last = await allOf(scan(topic, { [partition]: { next: `${Number(end) - 1}`, end } }))
  expect(placesOf(last)).toEqual([`${partition}/${Number(end) - 1}`])
})

test('the rest of every batch goes on exactly behind it, and the last rest is empty', async () => {
  const topic = await own.make('rest', { partitions: 2 })
  await sendLarge(topic, 12)
  const range = await rangeOf(topic)
  const batches = await allOf(scan(topic, range))
  expect(batches.length).toBeGreaterThan(3)
  expect(batches.at(-1)!.rest).toEqual({})
  for (const [at, { rest }] of batches.entries())
    expect(placesOf(await allOf(scan(topic, rest)))).toEqual(placesOf(batches.slice(at + 1)))
})

test('no more than one batch is read ahead of whoever takes them', async () => {
  interface Broker {
    fetch(request: object): Promise<unknown>
  }
  const topic = await own.make('ahead')
  await sendLarge(topic, 12)
  const range = await rangeOf(topic)
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/broker/index.js') as { prototype: Broker }
  const { fetch } = prototype
  let answered = 0
  prototype.fetch = async function (request) {
    const answer = await fetch.call(this, request)
    answered++
    return answer
  }
  try {
    let taken = 0
    for await (const { rest } of scan(topic, range)) {
      taken++
      const wanted = taken + (Object.keys(rest).length > 0 ? 1 : 0)
      await eventually(() => answered >= wanted, 'the next one is there')
      // Long enough for another answer, if one were asked for: this one comes over the same connection.
      await rangeOf(topic)
      expect(answered).toBe(wanted)
    }
    expect(taken).toBeGreaterThan(3)
  } finally {
    prototype.fetch = fetch
  }
})

test('what retention has taken is passed over, at the beginning and while it is read', async () => {
  const topic = await own.make('retained')
  await sendLarge(topic, 16)
  const range = await rangeOf(topic)
  const admin = own.kafka.admin()
  await admin.connect()
  // The library does not look for the leaders of a topic that it has not met.
  await admin.fetchTopicOffsets(topic)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '3' }] })
  const batches: ScannedBatch[] = []
  for await (const batch of scan(topic, range)) {
    if (batches.length === 0) {
      expect(placesOf([batch])[0]).toBe('0/3')
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '14' }] })
    }
    batches.push(batch)
  }
  const behind = placesOf(batches).slice(-3)
  expect(behind.slice(1)).toEqual(['0/14', '0/15'])
  expect(Number(behind[0]!.slice(2))).toBeLessThan(10)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '16' }] })
  expect(await allOf(scan(topic, range))).toEqual([{ records: [], rest: {} }])
  expect(await rangeOf(topic)).toEqual({})
  await admin.disconnect()
})

test('a range from before the topic was made anew, shorter and of fewer partitions, is read as far as the topic goes', async () => {
  const topic = await own.make('anew')
  await own.send(Array.from({ length: 5 }, (_, at) => recordFor(topic, `key ${at}`)))
  const batches = await allOf(scan(topic, { 0: { next: '3', end: '1000' }, 1: { next: '0', end: '7' } }))
  expect(placesOf(batches)).toEqual(['0/3', '0/4'])
  expect(batches.at(-1)!.rest).toEqual({})
  const nothing = [{ records: [], rest: {} }]
  expect(await allOf(scan(topic, { 0: { next: '10', end: '1000' } }))).toEqual(nothing)
  expect(await allOf(scan(topic, { 4: { next: '0', end: '7' } }))).toEqual(nothing)
})

test('a partition that ends with what no reader sees has an end, and what was aborted is not shown', async () => {
  const topic = await own.make('control')
  const producer = own.kafka.producer({
    transactionalId: own.name('control'),
    idempotent: true,
    maxInFlightRequests: 1,
  })
  await producer.connect()
  for (const outcome of ['commit', 'abort', 'commit', 'abort'] as const) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ key: outcome, value: outcome }] })
    await transaction[outcome]()
  }
  await producer.disconnect()
  const range = await rangeOf(topic)
  expect(range).toEqual({ 0: { next: '0', end: '8' } })
  const batches = await allOf(scan(topic, range))
  expect(placesOf(batches)).toEqual(['0/0', '0/4'])
  expect(batches.at(-1)!.rest).toEqual({})
  expect(placesOf(await allOf(scan(topic, { 0: { next: '7', end: '8' } })))).toEqual([])
})

test('a scan that is aborted says so instead of ending', async () => {
  const topic = await own.make('aborted')
  await sendLarge(topic, 8)
  const abort = new AbortController()
  const batches = scan(topic, await rangeOf(topic), abort.signal)
  await batches.next()
  abort.abort(new Error('asked to stop'))
  await expect(batches.next()).rejects.toThrow('asked to stop')
  await expect(allOf(scan(topic, { 0: { next: '0', end: '1' } }, abort.signal))).rejects.toThrow('asked to stop')
})

test('a topic that does not exist is named', async () => {
  const missing = { code: 'topic-missing', message: expect.stringContaining(own.name('none')) }
  await expect(rangeOf(own.name('none'))).rejects.toMatchObject(missing)
  await expect(allOf(scan(own.name('none'), { 0: { next: '0', end: '1' } }))).rejects.toMatchObject(missing)
})

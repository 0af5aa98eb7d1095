import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OutgoingRecord } from '../../../connectors/kafka/producer.ts'
import { type TopicVerdict, type VerifyOptions, verifyTopic } from '../../../ops/verify/verify-topic.ts'
import { type OwnTopics, ownTopics } from '../../connectors/kafka/own-topics.ts'
import { eventually } from '../../support/flow.ts'
import { EAGER_COMPACTION } from '../../support/topics/compaction.ts'
import { at, deleteAt, valueAt } from '../../support/topics/topic-records.ts'

let own: OwnTopics

beforeAll(async () => {
  own = await ownTopics()
})

afterAll(async () => {
  await own?.close()
})

const verify = (topic: string, options: VerifyOptions = {}): Promise<TopicVerdict> =>
  verifyTopic(own.kafka, own.brokers, topic, options)

type Written = readonly [key: string, position: number, kind?: 'delete' | 'json' | 'bare']

function outgoing(topic: string, [key, position, kind]: Written): OutgoingRecord {
  if (kind === 'delete') return { topic, key, value: null, headers: deleteAt(at(position)) }
  if (kind === 'bare') return { topic, key, value: null, headers: {} }
  return { topic, key, value: kind === 'json' ? Buffer.from('{"id":1}') : valueAt(at(position)), headers: {} }
}

async function written(name: string, records: readonly Written[], partitions = 1): Promise<string> {
  const topic = await own.make(name, { partitions })
  await own.send(records.map((record) => outgoing(topic, record)))
  return topic
}

test('a topic in order is in order: equal versions repeated, deletes, and keys that come again', async () => {
  const topic = await written('order', [
    ['a', 1],
    ['a', 2],
    ['a', 2],
    ['b', 1],
    ['b', 3, 'delete'],
    ['b', 3, 'delete'],
    ['c', 1],
    ['c', 4, 'delete'],
    ['c', 5],
    // A writer that took over repeats its last records.
    ['d', 6],
    ['d', 7],
    ['d', 6],
    ['d', 7],
  ])
  expect(await verify(topic)).toEqual({
    topic,
    ok: true,
    records: 13,
    keys: 4,
    liveKeys: 3,
    deletedKeys: 1,
    slices: 1,
    passes: 1,
    stale: { count: 0, named: [] },
    unreadable: { count: 0, named: [] },
  })
})

test('a key with an older version last is named, with both versions and offsets; a delete that is overtaken too', async () => {
  const topic = await written('stale', [
    ['fine', 1],
    ['row', 5],
    ['row', 9],
    ['gone', 8, 'delete'],
    ['row', 5],
    ['gone', 7],
    ['fine', 2],
  ])
  const { ok, stale, passes } = await verify(topic)
  expect(ok).toBe(false)
  expect(passes).toBe(2)
  expect(stale).toEqual({
    count: 2,
    named: [
      {
        key: 'row',
        partition: 0,
        last: { version: '1/5/0', offset: '4' },
        newest: { version: '1/9/0', offset: '2' },
      },
      {
        key: 'gone',
        partition: 0,
        last: { version: '1/7/0', offset: '5' },
        newest: { version: '1/8/0', offset: '3' },
      },
    ],
  })
})

test('records that cannot be read are told with their offsets, and the key that has only such a one is counted', async () => {
  const topic = await written('unreadable', [
    ['a', 1],
    ['only', 0, 'json'],
    ['bare', 0, 'bare'],
    ['a', 2, 'json'],
    ['a', 3],
  ])
  const { ok, keys, liveKeys, stale, unreadable } = await verify(topic)
  expect([ok, keys, liveKeys, stale.count]).toEqual([false, 3, 2, 0])
  expect(unreadable).toEqual({
    count: 3,
    named: [
      { key: 'only', partition: 0, offset: '1', reason: 'its value is no delta' },
      { key: 'bare', partition: 0, offset: '2', reason: 'a delete without a version' },
      { key: 'a', partition: 0, offset: '3', reason: 'its value is no delta' },
    ],
  })
})

test('many keys are looked at in slices, with the same verdict as at once; what is not named is counted', async () => {
  const keys = Array.from({ length: 1_000 }, (_, number) => `key ${number}`)
  const topic = await written(
    'slices',
    [
      ...keys.map((key, number) => [key, 5, number % 5 === 0 ? 'delete' : undefined] as unknown as Written),
      ...keys.filter((_, number) => number % 20 === 7).map((key) => [key, 4] as const),
      ['key 3', 0, 'json'],
    ],
    3,
  )
  const atOnce = await verify(topic)
  expect(atOnce).toMatchObject({ ok: false, records: 1_051, keys: 1_000, liveKeys: 800, slices: 1, passes: 2 })
  expect([atOnce.stale.count, atOnce.stale.named.length, atOnce.unreadable.count]).toEqual([50, 20, 1])
  const progress: number[] = []
  const inSlices = await verify(topic, {
    keysAtOnce: 100,
    onProgress: ({ keySpaceDone }) => void progress.push(keySpaceDone),
  })
  expect(inSlices.slices).toBeGreaterThanOrEqual(10)
  expect(inSlices.slices).toBeLessThan(40)
  expect(inSlices).toEqual({ ...atOnce, slices: inSlices.slices, passes: inSlices.slices + 1 })
  expect(progress).toEqual([...progress].sort((a, b) => a - b))
  const all = await verify(topic, { namedMax: 1_000 })
  expect(all.stale.named.map(({ key }) => key).sort()).toEqual(keys.filter((_, number) => number % 20 === 7).sort())
})

test('a key that is repaired before it is told is in order', async () => {
  const topic = await written('repaired', [
    ['a', 2],
    ['a', 1],
    ['b', 2],
    ['b', 1],
  ])
  const { ok, stale } = await verify(topic, {
    onProgress: async ({ pass }) => {
      if (pass === 1) await own.send([outgoing(topic, ['a', 2])])
    },
  })
  expect([ok, stale.count, stale.named.map(({ key }) => key)]).toEqual([false, 1, ['b']])
})

test('a compacted topic is read to its end, and an older version that came last is still named', async () => {
  const topic = await own.make('compacted', { configs: { 'cleanup.policy': 'compact', ...EAGER_COMPACTION } })
  const rounds = Array.from({ length: 50 }, (_, round) => round + 1)
  await own.send(rounds.flatMap((round) => ['a', 'b'].map((key) => outgoing(topic, [key, round]))))
  await eventually(
    async () => {
      // The segment that is written to is never compacted, so something has to follow.
      await own.send([outgoing(topic, ['roll', 1])])
      return (await verify(topic)).records < 50
    },
    'the topic is compacted',
    45_000,
  )
  expect(await verify(topic)).toMatchObject({ ok: true, keys: 3 })
  await own.send([outgoing(topic, ['b', 7])])
  const { stale } = await verify(topic)
  expect(stale.named).toMatchObject([{ key: 'b', last: { version: '1/7/0' }, newest: { version: '1/50/0' } }])
})

test('the same key in two partitions is two keys', async () => {
  const topic = await own.make('partitions', { partitions: 2 })
  const producer = own.kafka.producer()
  await producer.connect()
  const message = (partition: number, position: number) => ({ partition, key: 'a', value: valueAt(at(position)) })
  await producer.send({ topic, messages: [message(0, 9), message(1, 3)] })
  await producer.disconnect()
  expect(await verify(topic)).toMatchObject({ ok: true, keys: 2 })
})

test('a topic without records is in order, and one that does not exist is named', async () => {
  expect(await verify(await own.make('empty'))).toMatchObject({ ok: true, records: 0, keys: 0, passes: 1 })
  await expect(verify(own.name('none'))).rejects.toMatchObject({ code: 'topic-missing' })
})

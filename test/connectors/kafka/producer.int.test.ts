import { afterAll, beforeAll, expect, test } from 'vitest'
import { createProducer, type OutgoingRecord } from '../../../connectors/kafka/producer.ts'
import { readTopic } from '../../../connectors/kafka/read-topic.ts'
import { type OwnTopics, ownTopics, recordFor } from './own-topics.ts'

let own: OwnTopics

beforeAll(async () => {
  own = await ownTopics()
})

afterAll(async () => {
  await own?.close()
})

async function valuesOf(topic: string): Promise<(string | null)[]> {
  const values: (string | null)[] = []
  await readTopic(own.kafka, own.brokers, topic, ({ value }) => values.push(value?.toString() ?? null))
  return values
}

test('sends that overlap are refused, because they could lose what was acknowledged', async () => {
  const topic = await own.make('overlap')
  const producer = createProducer(own.kafka)
  await producer.connect()
  const first = producer.send([recordFor(topic, 'a')])
  await expect(producer.send([recordFor(topic, 'b')])).rejects.toMatchObject({ code: 'invariant-broken' })
  await first
  await producer.send([recordFor(topic, 'c')])
  await producer.close()
  expect(await valuesOf(topic)).toEqual(['a', 'c'])
})

test('a producer whose send failed is spent', async () => {
  const topic = await own.make('spent')
  const producer = createProducer(own.kafka)
  await producer.connect()
  await expect(producer.send([recordFor(own.name('missing'), 'a')])).rejects.toMatchObject({ code: 'publish-failed' })
  await expect(producer.send([recordFor(topic, 'b')])).rejects.toMatchObject({ code: 'invariant-broken' })
  await producer.close()
  expect(await valuesOf(topic)).toEqual([])
})

test('records of a key stay in order in one partition; a null value and headers travel as they are', async () => {
  const topic = await own.make('order', { partitions: 3 })
  const records: OutgoingRecord[] = []
  for (let round = 0; round < 20; round++)
    for (const key of ['a', 'b', 'c', 'ü', '𝄞']) records.push(recordFor(topic, key, `${key}${round}`))
  records.push({ topic, key: 'a', value: null, headers: { 'tributary-id': 'x/1' } })
  await own.send(records)
  const places = new Map<string, Set<number>>()
  const values = new Map<string, (string | null)[]>()
  let id: string | undefined
  await readTopic(own.kafka, own.brokers, topic, ({ key, value, partition, headers }) => {
    const name = key!.toString()
    places.set(name, (places.get(name) ?? new Set()).add(partition))
    values.set(name, [...(values.get(name) ?? []), value?.toString() ?? null])
    if (value === null) id = headers['tributary-id']?.toString()
  })
  expect([...places.values()].map(({ size }) => size)).toEqual([1, 1, 1, 1, 1])
  expect(values.get('a')).toEqual([...Array.from({ length: 20 }, (_, round) => `a${round}`), null])
  expect(values.get('𝄞')).toHaveLength(20)
  expect(id).toBe('x/1')
})

import type { KafkaMessage } from 'kafkajs'
import { expect, test } from 'vitest'
import { fetched } from '../../../connectors/kafka/partition-fetch.ts'

const nothing = { highWatermark: '20', lastStableOffset: '15', messages: [] as KafkaMessage[] }
const answer = (partition: object, parts: object = {}) => ({
  throttleTime: 0,
  responses: [{ partitions: [{ ...nothing, ...partition }] }],
  ...parts,
})
const message = (offset: number) => ({ offset: `${offset}`, key: null, value: null, timestamp: '0' }) as KafkaMessage
const next = (at: bigint, of: ReturnType<typeof answer>) => fetched('t', 0, at, of).next

test('a broker that has nothing to give says that it is a hole, up to where everything is visible', () => {
  expect(fetched('t', 0, 10n, answer({}))).toEqual({ records: [], next: 15n })
  expect(next(10n, answer({ lastStableOffset: undefined }))).toBe(20n)
})

test('nothing follows from no answer: one that is throttled, or behind what is visible, or has no partition', () => {
  expect(next(10n, answer({}, { throttleTime: 5 }))).toBe(10n)
  expect(next(10n, answer({}, { clientSideThrottleTime: 5 }))).toBe(10n)
  expect(next(15n, answer({}))).toBe(15n)
  expect(next(18n, answer({}))).toBe(18n)
  expect(next(10n, answer({}, { responses: [] }))).toBe(10n)
})

test('a batch that begins before the offset is read from the offset on', () => {
  const { records, next: after } = fetched('t', 3, 6n, answer({ messages: [5, 6, 8].map(message) }))
  expect(records.map(({ topic, partition, offset }) => [topic, partition, offset])).toEqual([
    ['t', 3, 6n],
    ['t', 3, 8n],
  ])
  expect(after).toBe(9n)
})

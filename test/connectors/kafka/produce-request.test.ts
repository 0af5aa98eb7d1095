import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { encodeProduce, type ProduceOrder } from '../../../connectors/kafka/produce-request.ts'

const require = createRequire(import.meta.url)
const libraryRequest = require('kafkajs/src/protocol/requests/produce/v3/request.js') as (order: object) => {
  encode(): Promise<{ buffer: Buffer }>
}
const Long = require('kafkajs/src/utils/long') as { fromValue(value: string): { toString(): string } }

const text = fc.string({ unit: 'grapheme', maxLength: 90 })
const record = fc.record({
  key: text,
  value: fc.option(fc.uint8Array({ maxLength: 3_000 }).map((bytes) => Buffer.from(bytes))),
  headers: fc.dictionary(text, text, { maxKeys: 3 }),
})
const partition = fc.record({
  partition: fc.nat(),
  firstSequence: fc.nat(),
  messages: fc.array(record, { minLength: 1, maxLength: 150 }),
})
const order = fc.record({
  acks: fc.constant(-1),
  timeout: fc.nat(),
  producerId: fc.bigInt({ min: -1n, max: 2n ** 63n - 1n }).map((id) => Long.fromValue(String(id))),
  producerEpoch: fc.nat(32_767),
  topicData: fc.array(fc.record({ topic: text, partitions: fc.array(partition, { maxLength: 3 }) }), { maxLength: 2 }),
})

test('a produce request has the bytes that the library would give it', async () => {
  vi.useFakeTimers({ now: 1_790_000_000_123 })
  try {
    await fc.assert(
      fc.asyncProperty(order, async (given) => {
        const theirs = await libraryRequest(given).encode()
        expect(encodeProduce(given as ProduceOrder, Date.now()).equals(theirs.buffer)).toBe(true)
      }),
      { numRuns: 60 },
    )
  } finally {
    vi.useRealTimers()
  }
})

test('a record of a megabyte and an empty one are encoded alike', async () => {
  vi.useFakeTimers({ now: 1_790_000_000_123 })
  try {
    const messages = [
      { key: 'k', value: Buffer.alloc(1_048_576, 7), headers: {} },
      { key: '', value: Buffer.alloc(0), headers: { empty: '' } },
    ]
    const given = { acks: -1, timeout: 1, topicData: [{ topic: 't', partitions: [{ partition: 0, messages }] }] }
    const theirs = await libraryRequest(given).encode()
    expect(encodeProduce(given, Date.now()).equals(theirs.buffer)).toBe(true)
  } finally {
    vi.useRealTimers()
  }
})

import { expect, test } from 'vitest'
import type { OutgoingRecord, Producer } from '../../connectors/kafka/producer.ts'
import type { QueueItem } from '../../producers/encode.ts'
import { PublishQueue, publish, QUEUE_BYTES_MAX } from '../../producers/publish.ts'

const record = (key: string, bytes: number): QueueItem => ({
  kind: 'record',
  record: { topic: 'p.customer', key, value: Buffer.alloc(0), headers: {} },
  bytes,
  committedAt: 1n,
})

function producerThat(send: (records: readonly OutgoingRecord[]) => Promise<void>): Producer {
  return { connect: async () => {}, send, close: async () => {} }
}

/** Whether a promise has settled by now, everything else having had its turn. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const waiting = Symbol()
  const turn = new Promise((resolve) => setImmediate(() => resolve(waiting)))
  return (await Promise.race([promise.catch(() => null), turn])) === waiting
}

test('a full queue holds whoever pushes until something was taken', async () => {
  const queue = new PublishQueue()
  const pushed = queue.push([record('a', QUEUE_BYTES_MAX), record('b', 1)])
  expect(await isPending(pushed)).toBe(true)
  await queue.take()
  await pushed
})

test('a failed send reaches whoever waits to push, and everyone who pushes later', async () => {
  const queue = new PublishQueue()
  const broken = new Error('the brokers are away')
  const pushed = queue.push(['a', 'b', 'c'].map((key) => record(key, QUEUE_BYTES_MAX)))
  const failing = producerThat(async () => {
    throw broken
  })
  await expect(publish(queue, failing, () => {})).rejects.toBe(broken)
  await expect(pushed).rejects.toBe(broken)
  await expect(queue.push([record('c', 1)])).rejects.toBe(broken)
})

test('a position is settled after its records are acknowledged and not before', async () => {
  const queue = new PublishQueue()
  const acknowledged = Promise.withResolvers<void>()
  const settled: (bigint | null)[] = []
  await queue.push([record('a', 1), { kind: 'settle', position: 9n }])
  queue.end()
  const slow = producerThat(() => acknowledged.promise)
  const publishing = publish(queue, slow, ({ settles }) => settled.push(settles))
  expect(await isPending(publishing)).toBe(true)
  expect(settled).toEqual([])
  acknowledged.resolve()
  await publishing
  expect(settled).toEqual([9n])
})

test('one send at a time, in the order of the queue, to its end', async () => {
  const queue = new PublishQueue()
  let under = 0
  const sent: string[] = []
  const producer = producerThat(async (records) => {
    under++
    expect(under).toBe(1)
    await new Promise((resolve) => setImmediate(resolve))
    sent.push(...records.map(({ key }) => key))
    under--
  })
  const publishing = publish(queue, producer, () => {})
  for (let index = 0; index < 50; index++) await queue.push([record(String(index), 100_000)])
  queue.end()
  await publishing
  expect(sent).toEqual(Array.from({ length: 50 }, (_, index) => String(index)))
})

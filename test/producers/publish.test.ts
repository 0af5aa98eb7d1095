import { expect, onTestFinished, test, vi } from 'vitest'
import type { OutgoingRecord, Producer } from '../../connectors/kafka/producer.ts'
import type { QueueItem } from '../../producers/encode.ts'
import { PublishQueue, publish, QUEUE_BYTES_MAX } from '../../producers/publish.ts'
import type { Settled } from '../../producers/settle.ts'

const record = (key: string, bytes: number): QueueItem => ({
  kind: 'record',
  record: { topic: 'p.customer', key, value: Buffer.alloc(0), headers: {} },
  bytes,
  committedAt: 1n,
})

function producerThat(send: (records: readonly OutgoingRecord[]) => Promise<void>): Producer {
  return { connect: async () => {}, send, close: async () => {} }
}

/** As the pipeline publishes; positions are records with the key `position`. */
function publishing(queue: PublishQueue, producer: Producer, onSettled: (position: bigint) => void = () => {}) {
  const positionRecord = ({ position }: Settled): OutgoingRecord => ({
    topic: 'p.positions',
    key: `position ${position}`,
    value: null,
    headers: {},
  })
  return publish(queue, { producer, requireHeld: async () => {}, positionRecord, onSent: () => {}, onSettled })
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
  await queue.take(null)
  await pushed
})

test('a failed send reaches whoever waits to push, and everyone who pushes later', async () => {
  const queue = new PublishQueue()
  const broken = new Error('the brokers are away')
  const pushed = queue.push(['a', 'b', 'c'].map((key) => record(key, QUEUE_BYTES_MAX)))
  const failing = producerThat(async () => {
    throw broken
  })
  await expect(publishing(queue, failing)).rejects.toBe(broken)
  await expect(pushed).rejects.toBe(broken)
  await expect(queue.push([record('c', 1)])).rejects.toBe(broken)
})

test('a position is settled once its records and then the position itself are acknowledged', async () => {
  const queue = new PublishQueue()
  const sends: { keys: string[]; done: PromiseWithResolvers<void> }[] = []
  const settled: bigint[] = []
  await queue.push([record('a', 1), { kind: 'settle', settled: { position: 9n, mark: 'm' } }])
  queue.end()
  const slow = producerThat((records) => {
    const done = Promise.withResolvers<void>()
    sends.push({ keys: records.map(({ key }) => key), done })
    return done.promise
  })
  const running = publishing(queue, slow, (position) => settled.push(position))
  expect(await isPending(running)).toBe(true)
  expect(sends.map(({ keys }) => keys)).toEqual([['a']])
  sends[0]!.done.resolve()
  await vi.waitFor(() => expect(sends.map(({ keys }) => keys)).toEqual([['a'], ['position 9']]), { timeout: 45_000 })
  expect(settled).toEqual([])
  sends[1]!.done.resolve()
  await running
  expect(settled).toEqual([9n])
})

test('a producer that has replaced others sends nothing when the source is not held any more', async () => {
  const queue = new PublishQueue()
  const done: string[] = []
  await queue.push([record('a', 1)])
  const gone = new Error('another has the slot')
  const producer: Producer = {
    connect: async () => void done.push('connected'),
    send: async () => void done.push('sent'),
    close: async () => {},
  }
  const requireHeld = async () => {
    done.push('asked')
    throw gone
  }
  const positionRecord = () => ({ topic: 'p.positions', key: 'position', value: null, headers: {} })
  const running = publish(queue, { producer, requireHeld, positionRecord, onSent: () => {}, onSettled: () => {} })
  await expect(running).rejects.toBe(gone)
  expect(done).toEqual(['connected', 'asked'])
})

test('what is to come behind a stored position waits for it, whenever the last one was stored', async () => {
  const queue = new PublishQueue()
  const sent: string[] = []
  const settle = (position: bigint): QueueItem => ({ kind: 'settle', settled: { position, mark: null } })
  await queue.push([
    record('a', 1),
    settle(1n),
    record('b', 1),
    settle(2n),
    { kind: 'store' },
    record('c', 1),
    settle(3n),
  ])
  queue.end()
  await publishing(
    queue,
    producerThat(async (records) => {
      sent.push(...records.map(({ key }) => key))
    }),
  )
  expect(sent).toEqual(['a', 'b', 'position 2', 'c', 'position 3'])
})

test('positions are stored at intervals, the last one at the end, and never a lower one after a higher', async () => {
  const queue = new PublishQueue()
  const stored: string[] = []
  const settled: bigint[] = []
  const producer = producerThat(async (records) => {
    stored.push(...records.map(({ key }) => key).filter((key) => key.startsWith('position')))
  })
  const running = publishing(queue, producer, (position) => settled.push(position))
  for (let position = 1n; position <= 500n; position++) {
    await queue.push([record('a', 1), { kind: 'settle', settled: { position, mark: null } }])
    await new Promise((resolve) => setImmediate(resolve))
  }
  queue.end()
  await running
  expect(settled.at(-1)).toBe(500n)
  expect(settled).toEqual([...settled].sort((a, b) => Number(a - b)))
  expect(stored).toEqual(settled.map((position) => `position ${position}`))
  expect(stored.length).toBeLessThan(250)
})

test('a flush waits for everything pushed before, sends under way included', async () => {
  const queue = new PublishQueue()
  const done = Promise.withResolvers<void>()
  const running = publishing(
    queue,
    producerThat(() => done.promise),
  )
  await queue.flush([])
  await queue.push([record('a', 1)])
  const drained = queue.flush([])
  expect(await isPending(drained)).toBe(true)
  done.resolve()
  await drained
  queue.end()
  await running
})

test('a flush fails with the publishing that it waits for', async () => {
  const queue = new PublishQueue()
  await queue.push([record('a', 1)])
  const drained = queue.flush([])
  await expect(
    publishing(
      queue,
      producerThat(async () => Promise.reject(new Error('away'))),
    ),
  ).rejects.toThrow('away')
  await expect(drained).rejects.toThrow('away')
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
  const running = publishing(queue, producer)
  for (let index = 0; index < 50; index++) await queue.push([record(String(index), 100_000)])
  queue.end()
  await running
  expect(sent).toEqual(Array.from({ length: 50 }, (_, index) => String(index)))
})

test('a change that comes alone is sent at once, and those that follow it closely go together', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const queue = new PublishQueue()
  const sends: string[][] = []
  const running = publishing(
    queue,
    producerThat(async (records) => {
      sends.push(records.map(({ key }) => key))
    }),
  )
  const comes = async (key: string, afterMs: number) => {
    await vi.advanceTimersByTimeAsync(afterMs)
    await queue.push([record(key, 1)])
    await vi.advanceTimersByTimeAsync(0)
  }
  await comes('a', 0)
  expect(sends).toEqual([['a']])
  await comes('b', 1)
  await comes('c', 1)
  expect(sends).toEqual([['a']])
  await comes('d', 100)
  expect(sends).toEqual([['a'], ['b', 'c'], ['d']])
  queue.end()
  await vi.advanceTimersByTimeAsync(100)
  await running
})

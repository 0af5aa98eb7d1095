import type { Consumer, EachBatchPayload } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type IncomingRecord, memberOf } from '../../../connectors/kafka/consumer.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import { eventually } from '../../support/flow.ts'
import { type OwnTopics, ownTopics, recordFor, startReader } from './own-topics.ts'

let own: OwnTopics

beforeAll(async () => {
  own = await ownTopics()
})

afterAll(async () => {
  await own?.close()
})

const offsetsOf = (records: readonly IncomingRecord[]) => records.map(({ offset }) => Number(offset))

test('a member reads from the first record, and the next one from where the group has committed', async () => {
  const topic = await own.make('commits')
  const groupId = own.name('commits-group')
  await own.send(['a', 'b', 'c', 'd'].map((key) => recordFor(topic, key)))
  const first = await startReader(own.kafka, groupId, [topic])
  await eventually(() => first.records.length === 4, 'all is read')
  await first.consumer.commit([{ topic, partition: 0, next: 3n }])
  await first.consumer.close()
  const second = await startReader(own.kafka, groupId, [topic])
  await eventually(() => second.records.length === 1, 'the rest is read')
  await second.consumer.close()
  expect(offsetsOf(first.records)).toEqual([0, 1, 2, 3])
  expect(offsetsOf(second.records)).toEqual([3])
  expect([...first.crashes, ...second.crashes]).toEqual([])
})

test('a second member takes partitions over, and each is told', async () => {
  const topic = await own.make('shared', { partitions: 2 })
  const groupId = own.name('shared-group')
  const first = await startReader(own.kafka, groupId, [topic])
  await eventually(() => first.assigned === 1, 'the first has all')
  const second = await startReader(own.kafka, groupId, [topic])
  await eventually(() => second.assigned >= 1 && first.assigned >= 2, 'both have a share')
  expect(first.revoked).toBeGreaterThanOrEqual(1)
  await Promise.all([first.consumer.close(), second.consumer.close()])
})

test('a topic that does not exist is named', async () => {
  const starting = startReader(own.kafka, own.name('none-group'), [own.name('none')])
  await expect(starting).rejects.toMatchObject({ code: 'topic-missing', message: expect.stringContaining('none') })
})

describe('a member notices records that were never handed over', () => {
  type EachBatch = (payload: EachBatchPayload) => Promise<void>

  /** A consumer of which the test itself hands over batches; where its group stands is asked of the real broker. */
  async function handedOver(topic: string, groupId: string) {
    let eachBatch: EachBatch = async () => {}
    const listeners = new Map<string, (event: unknown) => void>()
    const consumer = {
      events: Object.fromEntries(
        ['GROUP_JOIN', 'REBALANCING', 'HEARTBEAT', 'CRASH', 'STOP', 'REQUEST_TIMEOUT'].map((name) => [name, name]),
      ),
      on: (name: string, listener: (event: unknown) => void) => listeners.set(name, listener),
      connect: async () => {},
      subscribe: async () => {},
      run: async (config: { eachBatch: EachBatch }) => {
        eachBatch = config.eachBatch
      },
      disconnect: async () => {},
    }
    const crashes: Error[] = []
    const records: IncomingRecord[] = []
    const options = {
      groupId,
      topics: [topic],
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      onRecords: async (batch: readonly IncomingRecord[]) => {
        records.push(...batch)
      },
      onAssigned: () => {},
      onRevoked: () => {},
      onHeartbeat: () => {},
      onCrash: (error: Error) => crashes.push(error),
    }
    const member = memberOf(consumer as unknown as Consumer, own.kafka, options, () => {})
    await member.start()
    const join = () => listeners.get('GROUP_JOIN')!({ payload: { memberAssignment: { [topic]: [0] } } })
    join()
    const hand = async (from: number, ...offsets: number[]) => {
      const messages = offsets.map((offset) => ({ offset: String(offset), key: null, value: null, headers: {} }))
      const batch = {
        topic,
        partition: 0,
        fetchedOffset: String(from),
        highWatermark: '100',
        messages,
        lastOffset: () => String(offsets.at(-1)),
      }
      await eachBatch({ batch, heartbeat: async () => {} } as unknown as EachBatchPayload)
    }
    return { hand, join, crashes, records }
  }

  test('the first batch begins where the group has committed', async () => {
    const topic = await own.make('gap-first')
    const { hand, crashes, records } = await handedOver(topic, own.name('gap-first-group'))
    await expect(hand(1, 1, 2)).rejects.toMatchObject({ code: 'fetch-gap' })
    expect(crashes).toMatchObject([{ code: 'fetch-gap' }])
    expect(records).toEqual([])
  })

  test('each batch begins where the last one ended, with what compaction left out counted in', async () => {
    const topic = await own.make('gap-next')
    const { hand, crashes, records } = await handedOver(topic, own.name('gap-next-group'))
    await hand(0, 3, 7)
    await hand(8, 8)
    await hand(0, 3, 7, 8)
    await hand(9, 12)
    expect(crashes).toEqual([])
    await expect(hand(14, 14)).rejects.toMatchObject({ code: 'fetch-gap' })
    expect(offsetsOf(records)).toEqual([3, 7, 8, 3, 7, 8, 12])
  })

  test('after a rejoin what is committed counts again, not what was read', async () => {
    const topic = await own.make('gap-rejoin')
    const { hand, join } = await handedOver(topic, own.name('gap-rejoin-group'))
    await hand(0, 0, 1)
    join()
    await expect(hand(2, 2)).rejects.toBeInstanceOf(TributaryError)
  })
})

test('the lag of a group is told by partition; what was never committed is null', async () => {
  const topic = await own.make('lag', { partitions: 2 })
  const groupId = own.name('lag-group')
  await own.send(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => recordFor(topic, key)))
  const reader = await startReader(own.kafka, groupId, [topic])
  await eventually(() => reader.records.length === 6, 'all is read')
  const inFirst = BigInt(reader.records.filter(({ partition }) => partition === 0).length)
  await reader.consumer.commit([{ topic, partition: 0, next: 1n }])
  await reader.consumer.close()
  const rows = await own.admin.groupLag(groupId, [topic])
  expect(rows).toContainEqual({ topic, partition: 0, low: 0n, high: inFirst, committed: 1n })
  expect(rows).toContainEqual({ topic, partition: 1, low: 0n, high: 6n - inFirst, committed: null })
  await expect(own.admin.groupLag(groupId, [own.name('absent')])).rejects.toMatchObject({ code: 'topic-missing' })
})

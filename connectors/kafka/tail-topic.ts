import { TributaryError } from '../../schemas/errors.ts'
import { openAdmin } from './admin.ts'
import type { Kafka } from './client.ts'
import type { IncomingRecord } from './consumer.ts'
import { createPartitionReader, type FetchedRecords, isOutOfRange, type PartitionReader } from './partition-fetch.ts'

/** A small topic that is read whole and then followed, without a group: everyone who follows it sees everything. */
export interface TopicTail {
  /**
   * Hands on every record since the last call, in offset order within a partition; the first call begins with the first record.
   * @throws TributaryError `kafka-unreachable`; what was handed on is not handed on again
   */
  poll(onRecord: (record: IncomingRecord) => void): Promise<void>
  /**
   * The record at a place; undefined when compaction took it.
   * @throws TributaryError `kafka-unreachable`
   */
  at(partition: number, offset: bigint): Promise<IncomingRecord | undefined>
  close(): Promise<void>
}

/** @throws TributaryError `topic-missing`, `kafka-unreachable` */
export async function tailTopic(kafka: Kafka, brokers: readonly string[], topic: string): Promise<TopicTail> {
  const begins = () => offsetsOf(kafka, brokers, topic)
  const next = new Map((await begins()).map(({ partition, low }) => [partition, low]))
  const reader = createPartitionReader(kafka, topic)
  /** Places are asked for in order, mostly, and a fetch brings many. */
  let fetched: { readonly partition: number; readonly records: readonly IncomingRecord[] } | null = null
  const reach = async <T>(ask: () => Promise<T>): Promise<T> => {
    try {
      return await ask()
    } catch (cause) {
      if (cause instanceof TributaryError) throw cause
      const reason = `Topic ${topic} cannot be read from ${brokers.join(', ')}: ${(cause as Error).message}`
      throw new TributaryError('kafka-unreachable', reason, { cause })
    }
  }
  const read = async (partition: number, offset: bigint): Promise<FetchedRecords> => {
    try {
      return await reader.fetch(partition, offset)
    } catch (error) {
      if (!isOutOfRange(error)) {
        await refresh(reader)
        throw error
      }
      // What was there is gone; the partition begins later now.
      const low = (await begins()).find((row) => row.partition === partition)?.low ?? offset
      return { records: [], next: low > offset ? low : offset }
    }
  }
  await reach(() => reader.connect())
  return {
    poll: (onRecord) =>
      reach(async () => {
        for (const partition of next.keys())
          for (;;) {
            const from = next.get(partition)!
            const { records, next: after } = await read(partition, from)
            for (const record of records) onRecord(record)
            if (after <= from) break
            next.set(partition, after)
          }
      }),
    at: (partition, offset) =>
      reach(async () => {
        const isOf = (record: IncomingRecord) => record.offset === offset
        if (fetched?.partition === partition) {
          const found = fetched.records.find(isOf)
          if (found !== undefined) return found
        }
        const { records } = await read(partition, offset)
        fetched = { partition, records }
        return records.find(isOf)
      }),
    close: () => reader.close(),
  }
}

/** The next fetch says whether it helped. */
async function refresh(reader: PartitionReader): Promise<void> {
  await reader.refresh().catch(() => {})
}

async function offsetsOf(kafka: Kafka, brokers: readonly string[], topic: string) {
  const admin = await openAdmin(kafka, brokers)
  try {
    return await admin.topicOffsets(topic)
  } finally {
    await admin.close()
  }
}

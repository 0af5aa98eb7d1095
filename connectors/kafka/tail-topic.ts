import { fateOf } from '../../schemas/errors.ts'
import { pause } from '../pause.ts'
import { offsetsOf } from './admin.ts'
import type { Kafka } from './client.ts'
import type { IncomingRecord } from './consumer.ts'
import {
  createPartitionReader,
  type FetchedRecords,
  isOutOfRange,
  type PartitionReader,
  unreadable,
} from './partition-fetch.ts'

/** A small topic that is read whole and then followed, without a group: everyone who follows it sees everything. */
export interface TopicTail {
  /**
   * Hands on every record since the last call, in offset order within a partition.
   * @throws TributaryError `kafka-unreachable`; what was handed on is not handed on again. The signal's reason
   */
  poll(onRecord: (record: IncomingRecord) => void, signal?: AbortSignal): Promise<void>
  /**
   * The record at a place; undefined when compaction took it.
   * @throws TributaryError `kafka-unreachable`
   */
  at(partition: number, offset: bigint): Promise<IncomingRecord | undefined>
  close(): Promise<void>
}

/**
 * @param from the end: only what is written from now on
 * @throws TributaryError `topic-missing`, `kafka-unreachable`
 */
export async function tailTopic(
  kafka: Kafka,
  brokers: readonly string[],
  topic: string,
  from: 'beginning' | 'end' = 'beginning',
): Promise<TopicTail> {
  const offsets = () => offsetsOf(kafka, brokers, topic)
  const next = new Map((await offsets()).map(({ partition, low, high }) => [partition, from === 'end' ? high : low]))
  const reader = createPartitionReader(kafka, topic)
  /** Places are asked for in order, mostly, and a fetch brings many. */
  let fetched: { readonly partition: number; readonly records: readonly IncomingRecord[] } | null = null
  const reach = async <T>(ask: () => Promise<T>): Promise<T> => {
    try {
      return await ask()
    } catch (cause) {
      throw unreadable(topic, brokers, cause)
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
      const low = (await offsets()).find((row) => row.partition === partition)?.low ?? offset
      return { records: [], next: low > offset ? low : offset }
    }
  }
  await reach(() => reader.connect())
  return {
    async poll(onRecord, signal) {
      for (const partition of next.keys())
        for (;;) {
          signal?.throwIfAborted()
          const place = next.get(partition)!
          const { records, next: after } = await reach(() => read(partition, place))
          if (after <= place) break
          next.set(partition, after)
          for (const record of records) onRecord(record)
        }
    },
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

/** How long the brokers may fail before {@link pollPatiently} gives up: an election, a broker that restarts. */
const STANDSTILL_MS_MAX = 30_000
const RETRY_PAUSE_MS = 250

/**
 * Polls once, however often the brokers fail meanwhile.
 * @throws TributaryError `kafka-unreachable` when nothing comes and they fail for {@link STANDSTILL_MS_MAX}; the signal's reason
 */
export async function pollPatiently(
  tail: TopicTail,
  onRecord: (record: IncomingRecord) => void,
  signal: AbortSignal,
): Promise<void> {
  let heardAtMs = performance.now()
  const hear = (record: IncomingRecord) => {
    heardAtMs = performance.now()
    onRecord(record)
  }
  for (;;) {
    try {
      return await tail.poll(hear, signal)
    } catch (error) {
      if (fateOf(error) !== 'retry' || performance.now() - heardAtMs > STANDSTILL_MS_MAX) throw error
      await pause(RETRY_PAUSE_MS, signal)
      signal.throwIfAborted()
    }
  }
}

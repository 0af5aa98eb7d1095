import type { PublishedRange } from '../source.ts'
import { brokersOf, type Kafka } from './client.ts'
import type { IncomingRecord } from './consumer.ts'
import { scanTopic, topicRange } from './scan-topic.ts'

/** Offsets of one partition: `end` is not part of it. */
export interface OffsetRange {
  readonly next: bigint
  readonly end: bigint
}

export interface HistoryBatch {
  /** In offset order; none where compaction left a hole. */
  readonly records: readonly IncomingRecord[]
  /** How many offsets of the range are done. */
  readonly done: number
}

/** Reads a partition beside the group, which may own it or not. */
export interface PartitionHistory {
  /**
   * From its first record to where it ends now; null when it has none.
   * @throws TributaryError `topic-missing`, `kafka-unreachable`
   */
  range(topic: string, partition: number): Promise<OffsetRange | null>
  /**
   * @throws the signal's reason when it aborts
   * @throws TributaryError `topic-missing`, `kafka-unreachable`
   */
  read(topic: string, partition: number, range: OffsetRange, signal: AbortSignal): AsyncIterable<HistoryBatch>
}

export function partitionHistory(kafka: Kafka): PartitionHistory {
  const brokers = brokersOf(kafka)
  return {
    async range(topic, partition) {
      const range = (await topicRange(kafka, brokers, topic))[partition]
      return range === undefined ? null : { next: BigInt(range.next), end: BigInt(range.end) }
    },
    async *read(topic, partition, { next, end }, signal) {
      const range: PublishedRange = { [partition]: { next: next.toString(), end: end.toString() } }
      for await (const { records, rest } of scanTopic(kafka, brokers, topic, range, signal)) {
        const at = rest[partition]
        yield { records, done: Number((at === undefined ? end : BigInt(at.next)) - next) }
      }
    },
  }
}

export function lengthOf(range: OffsetRange): number {
  return Number(range.end - range.next)
}

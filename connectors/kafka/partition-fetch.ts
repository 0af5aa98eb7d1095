import { createRequire } from 'node:module'
import type { Kafka, KafkaMessage } from 'kafkajs'
import { TributaryError } from '../../schemas/errors.ts'
import { isPlaceholder } from './compacted-away.ts'
import { type IncomingRecord, incomingRecord } from './consumer.ts'
import { refusalOf } from './refusal.ts'

/*
 * The library reads only as a member of a group. For a reader that is alone and asks for a certain range that is the wrong tool: it has to
 * send heartbeats while nothing is read, a rebalance may take back what it was given, and it cannot be told from outside whether a
 * partition has nothing more to give or is only slow. So a scan sends the library's own fetch request to the leader of a partition, one at
 * a time. Connections, encoding and decoding stay the library's.
 */

/** What the library's cluster and broker offer, in the parts that are used here. */
interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  refreshMetadata(): Promise<void>
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>
  findBroker(of: { nodeId: string }): Promise<{ fetch(request: object): Promise<FetchAnswer> }>
}

interface FetchAnswer {
  readonly throttleTime: number
  /** Instead of `throttleTime` since version 8. */
  readonly clientSideThrottleTime?: number
  readonly responses: readonly { readonly partitions: readonly PartitionAnswer[] }[]
}

interface PartitionAnswer {
  readonly highWatermark: string
  /** Since version 4. */
  readonly lastStableOffset?: string
  readonly abortedTransactions?: readonly object[]
  readonly messages: readonly KafkaMessage[]
}

/** The library's symbol for the function that makes a cluster with all of a handle's settings. */
const CREATE_CLUSTER = 'private:Kafka:createCluster'
const READ_COMMITTED = 1
const METADATA_AGE_MS_MAX = 300_000
/** The broker answers at once, as no bytes are asked for at least; the library makes it the request's time-out. */
const ANSWER_MS_MAX = 10_000
/** Four times as much is no faster and costs 60 MB: what was read is garbage soon, but not at once. */
const FETCH_BYTES_MAX = 256 * 1024

export interface FetchedRecords {
  readonly records: readonly IncomingRecord[]
  /** The offset to go on at: behind the records, or behind a hole that compaction left. The one asked for when nothing can be said. */
  readonly next: bigint
}

export interface PartitionReader {
  connect(): Promise<void>
  /**
   * What a partition holds from `offset` on: about `bytesMax` (a quarter of a megabyte), or one batch when that is larger.
   * @returns undefined when there is nothing that can be read at this offset
   * @throws whatever the library throws; {@link isOutOfRange} tells one case from the others, which a repetition may heal
   */
  fetch(partition: number, offset: bigint, bytesMax?: number): Promise<FetchedRecords>
  /** Asks where the leaders are now. */
  refresh(): Promise<void>
  close(): Promise<void>
}

/** @throws TributaryError `invariant-broken` under another release of the library */
export function createPartitionReader(kafka: Kafka, topic: string): PartitionReader {
  const cluster = createCluster(kafka)
  return {
    async connect() {
      await cluster.connect()
      await cluster.addTargetTopic(topic)
    },
    async fetch(partition, offset, bytesMax = FETCH_BYTES_MAX) {
      const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
      if (nodeId === undefined) throw new Error(`partition ${partition} of ${topic} has no leader`)
      const broker = await cluster.findBroker({ nodeId })
      const answer = await broker.fetch({
        isolationLevel: READ_COMMITTED,
        maxWaitTime: ANSWER_MS_MAX,
        minBytes: 0,
        maxBytes: bytesMax,
        topics: [{ topic, partitions: [{ partition, fetchOffset: offset.toString(), maxBytes: bytesMax }] }],
      })
      return fetched(topic, partition, offset, answer)
    },
    refresh: () => cluster.refreshMetadata(),
    close: () => cluster.disconnect(),
  }
}

/** What a topic could not be read for, in our words. */
export function unreadable(topic: string, brokers: readonly string[], cause: unknown): TributaryError {
  if (cause instanceof TributaryError) return cause
  const reason = `Topic ${topic} cannot be read from ${brokers.join(', ')}: ${(cause as Error).message}. Check that the brokers run.`
  return refusalOf(cause) ?? new TributaryError('kafka-unreachable', reason, { cause })
}

/** The partition begins later than the offset that was asked for, or ends earlier. */
export function isOutOfRange(error: unknown): boolean {
  return error instanceof Error && error.name === 'KafkaJSOffsetOutOfRange'
}

function createCluster(kafka: Kafka): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === CREATE_CLUSTER)
  if (symbol === undefined) throw new TributaryError('invariant-broken', 'this release of kafkajs makes no cluster')
  const create = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol]!
  return create({ metadataMaxAge: METADATA_AGE_MS_MAX, allowAutoTopicCreation: false, maxInFlightRequests: null })
}

/** What an answer says. Pure. */
export function fetched(topic: string, partition: number, offset: bigint, answer: FetchAnswer): FetchedRecords {
  const found = answer.responses[0]?.partitions[0]
  if (found === undefined) return { records: [], next: offset }
  const { messages, abortedTransactions = [] } = found
  const last = messages.at(-1)
  if (last === undefined) {
    // A broker that slows a client down answers with nothing, whatever there is.
    const throttled = answer.throttleTime > 0 || (answer.clientSideThrottleTime ?? 0) > 0
    // Everything visible lies below the last stable offset. A broker that has nothing to give from here to there says that it is a hole.
    const visible = BigInt(found.lastStableOffset ?? found.highWatermark)
    return { records: [], next: !throttled && visible > offset ? visible : offset }
  }
  const committed = abortedTransactions.length === 0 ? messages : filterAborted()({ messages, abortedTransactions })
  const records = committed
    .filter((message) => !isPlaceholder(message) && !(message as { isControlRecord?: boolean }).isControlRecord)
    .map((message) => incomingRecord(topic, partition, message))
    // A batch comes whole, also when it begins before the offset.
    .filter((record) => record.offset >= offset)
  return { records, next: BigInt(last.offset) + 1n }
}

type FilterAborted = (of: {
  messages: readonly KafkaMessage[]
  abortedTransactions: readonly object[]
}) => readonly KafkaMessage[]

function filterAborted(): FilterAborted {
  return createRequire(import.meta.url)('kafkajs/src/consumer/filterAbortedMessages.js') as FilterAborted
}

import type { Batch, Consumer, Kafka, KafkaMessage } from 'kafkajs'
import { TributaryError } from '../../schemas/errors.ts'
import { unlessAborted } from '../unless-aborted.ts'
import { within } from '../within.ts'
import { openAdmin, requireTopics, topicsMissing, unreachable } from './admin.ts'
import { brokersOf } from './client.ts'
import { isPlaceholder } from './compacted-away.ts'
import { ownConnections } from './own-connections.ts'
import { refusalOf } from './refusal.ts'

export interface IncomingRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | string | undefined>>
  /** Milliseconds since 1970, as the broker has it. */
  readonly timestampMs: number
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface GroupOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /**
   * Takes the records of one partition, in offset order and without a gap. While the promise is pending nothing more is fetched of that partition, so
   * back-pressure is to wait; `heartbeat` must be called every few seconds meanwhile. It throws when the group rebalances: let it through.
   * `high` is the partition's next offset.
   */
  onRecords(records: readonly IncomingRecord[], high: bigint, heartbeat: () => Promise<void>): Promise<void>
  /** The group gave this member these partitions, and took away all former ones. Called in the same tick as the join. */
  onAssigned(partitions: readonly TopicPartition[]): void
  /** The group took all partitions away; new ones follow, or not. */
  onRevoked(): void
  /** The group's coordinator confirmed this member. */
  onHeartbeat(): void
  /** The consumer has ended for good: make another. */
  onCrash(error: Error): void
}

export interface GroupConsumer {
  start(): Promise<void>
  /**
   * Commits the next offset to read of each partition under the present generation of the group.
   * @throws Error when the group has moved on; nothing is lost, the records come again
   */
  commit(offsets: readonly (TopicPartition & { readonly next: bigint })[]): Promise<void>
  /**
   * Leaves the group and closes the connections, within the session time-out. Nothing is called any more from now on, but for a last `onRevoked`.
   * @throws Error when the group could not be left: it waits for this member until its session is over
   */
  close(): Promise<void>
}

/** A member sends a heartbeat this often; the session time-out allows for several to be lost. */
export const HEARTBEAT_INTERVAL_MS = 2_000
/** How much longer than the session an answer may take: after so long the group has put this member out. */
const ANSWER_GRACE_MS = 5_000
const FETCH_WAIT_MS_MAX = 500
const FETCH_BYTES_MAX = 4 * 1024 * 1024
const PARTITION_FETCH_BYTES_MAX = 1024 * 1024
const PARTITIONS_AT_ONCE = 64

/** A member of a consumer group with eager rebalancing and offsets committed by hand. */
export function createGroupConsumer(kafka: Kafka, options: GroupOptions): GroupConsumer {
  const connections = ownConnections(kafka, options.sessionTimeoutMs + ANSWER_GRACE_MS)
  const consumer = connections.kafka.consumer({
    groupId: options.groupId,
    sessionTimeout: options.sessionTimeoutMs,
    rebalanceTimeout: options.rebalanceTimeoutMs,
    heartbeatInterval: HEARTBEAT_INTERVAL_MS,
    maxWaitTimeInMs: FETCH_WAIT_MS_MAX,
    minBytes: 1,
    maxBytes: FETCH_BYTES_MAX,
    maxBytesPerPartition: PARTITION_FETCH_BYTES_MAX,
    allowAutoTopicCreation: false,
    readUncommitted: false,
    retry: { initialRetryTime: 200, maxRetryTime: 5_000, retries: 8, restartOnFailure: async () => false },
  })
  return memberOf(consumer, kafka, options, connections.cut)
}

/**
 * What {@link createGroupConsumer} makes of the library's consumer.
 * @param cut ends the consumer's connections, whatever waits for an answer
 */
export function memberOf(consumer: Consumer, kafka: Kafka, options: GroupOptions, cut: () => void): GroupConsumer {
  /** Aborts when the member is closed or given up. What the library does after that concerns nobody. */
  const over = new AbortController()
  let joined = false
  let closing: Promise<void> | null = null
  const continuity = watchContinuity(kafka, options)
  const giveUp = (error: Error) => {
    over.abort(error)
    cut()
    options.onCrash(error)
  }
  listen(consumer, options, { reset: continuity.reset, giveUp, over: over.signal })

  return {
    async start() {
      // Before the group is joined: brokers that do not answer are told within seconds, and a topic that is missing by its name.
      await requireTopics(kafka, options.topics)
      try {
        await consumer.connect()
        await consumer.subscribe({ topics: [...options.topics], fromBeginning: true })
      } catch (cause) {
        throw subscribeError(kafka, options, cause)
      }
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: true,
        partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
        eachBatch: async ({ batch, heartbeat }) => {
          const { topic, partition } = batch
          await continuity.check(batch).catch((error) => {
            // At once: the library would try again eight times, and find the same.
            if (error instanceof TributaryError && error.code === 'fetch-gap' && !over.signal.aborted)
              options.onCrash(error)
            throw error
          })
          const records = batch.messages
            .filter((message) => !isPlaceholder(message))
            .map((message) => incomingRecord(topic, partition, message))
          if (records.length > 0) await options.onRecords(records, BigInt(batch.highWatermark), heartbeat)
          await heartbeat()
        },
      })
      joined = true
    },
    async commit(offsets) {
      if (offsets.length === 0) return
      const commits = offsets.map(({ topic, partition, next }) => ({ topic, partition, offset: next.toString() }))
      // The library tries again for minutes where nobody answers.
      await unlessAborted(consumer.commitOffsets(commits), over.signal)
    },
    close() {
      over.abort(new Error('this member has left its group'))
      // The library cannot leave a group that it is about to join: it would wait for it, which takes as long as the rebalance.
      if (!joined) cut()
      const { sessionTimeoutMs } = options
      const late = `the group was not left within ${sessionTimeoutMs / 1000} s`
      // For longer than the session nobody need wait: the group then goes on without this member anyway.
      closing ??= within(sessionTimeoutMs, consumer.disconnect(), late).finally(() => {
        cut()
        options.onRevoked()
      })
      return closing
    },
  }
}

/**
 * The library can hand over a batch that was fetched before a rejoin, and then goes on behind it: what lies between the committed offset
 * and that batch would never be seen, and a commit would seal the loss. So each batch must begin where the last one ended, and the first
 * one where the group has committed.
 */
function watchContinuity(kafka: Kafka, options: GroupOptions) {
  let expected: Promise<Map<string, bigint>> | null = null
  return {
    reset() {
      expected = null
    },
    async check(batch: Batch) {
      expected ??= startOffsets(kafka, options)
      const asked = expected
      const next = await asked.catch((error) => {
        // The next batch asks again.
        if (expected === asked) expected = null
        throw error
      })
      const place = `${batch.topic}/${batch.partition}`
      const begins = BigInt((batch as Batch & { fetchedOffset: string }).fetchedOffset)
      const due = next.get(place)
      if (due === undefined || begins > due)
        throw new TributaryError(
          'fetch-gap',
          `${place} was read from offset ${begins}, but ${due ?? 'nothing'} was due.`,
        )
      next.set(place, BigInt(batch.lastOffset()) + 1n)
    },
  }
}

async function startOffsets(kafka: Kafka, options: GroupOptions): Promise<Map<string, bigint>> {
  const admin = await openAdmin(kafka, brokersOf(kafka))
  try {
    const rows = await admin.groupLag(options.groupId, options.topics)
    return new Map(
      rows.map(({ topic, partition, committed, low }) => [
        `${topic}/${partition}`,
        committed === null || committed < low ? low : committed,
      ]),
    )
  } finally {
    await admin.close()
  }
}

interface Ending {
  reset(): void
  /** Ends this member without a word to the group. */
  giveUp(error: Error): void
  readonly over: AbortSignal
}

function listen(consumer: Consumer, options: GroupOptions, { reset, giveUp, over }: Ending): void {
  const { GROUP_JOIN, REBALANCING, HEARTBEAT, CRASH, STOP, REQUEST_TIMEOUT } = consumer.events
  consumer.on(GROUP_JOIN, ({ payload }) => {
    if (over.aborted) return
    const partitions = Object.entries(payload.memberAssignment).flatMap(([topic, numbers]) =>
      (numbers as number[]).map((partition) => ({ topic, partition })),
    )
    reset()
    options.onHeartbeat()
    options.onAssigned(partitions)
  })
  consumer.on(REBALANCING, () => {
    if (!over.aborted) options.onRevoked()
  })
  consumer.on(HEARTBEAT, () => {
    if (!over.aborted) options.onHeartbeat()
  })
  consumer.on(STOP, () => {
    if (!over.aborted) options.onRevoked()
  })
  consumer.on(CRASH, ({ payload }) => {
    if (!over.aborted) options.onCrash(crashError(payload.error))
  })
  // The library goes on with a connection on which nothing is answered any more, and each further request waits its full time behind the first.
  // So it is with a network that drops packets in silence, and when a member is put out of its group while it waits for its partitions:
  // the broker forgets the answer that it owes, and answers one request of a connection after the other.
  consumer.on(REQUEST_TIMEOUT, ({ payload: { apiName, broker, sentAt } }) => {
    // A commit may wait behind a join, which takes as long as the rebalance.
    if (!over.aborted && apiName !== 'OffsetCommit') giveUp(unanswered(apiName, broker, Date.now() - sentAt))
  })
}

function unanswered(apiName: string, broker: string, waitedMs: number): TributaryError {
  const seconds = Math.round(waitedMs / 1000)
  return new TributaryError(
    'kafka-unreachable',
    `Kafka at ${broker} left ${apiName} of a group member unanswered for ${seconds} s.`,
  )
}

/** A message of the library as a record. */
export function incomingRecord(topic: string, partition: number, message: KafkaMessage): IncomingRecord {
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    key: message.key,
    value: message.value,
    headers: (message.headers ?? {}) as IncomingRecord['headers'],
    timestampMs: Number(message.timestamp),
  }
}

/** An error of the library means that brokers are away, or refuse us; anything else was thrown by us and keeps its own fate. */
export function crashError(error: Error): Error {
  if (!error.name.startsWith('KafkaJS')) return error
  const cause = (error as { cause?: unknown }).cause
  if (cause instanceof TributaryError) return cause
  const refusal = refusalOf(error)
  if (refusal !== undefined) return refusal
  return new TributaryError('kafka-unreachable', `The consumer stopped: ${error.message}`, { cause: error })
}

function subscribeError(kafka: Kafka, options: GroupOptions, cause: unknown): TributaryError {
  if ((cause as { type?: string }).type === 'UNKNOWN_TOPIC_OR_PARTITION') return topicsMissing(options.topics, cause)
  return unreachable(brokersOf(kafka), cause)
}

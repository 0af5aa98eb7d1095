import type { ICustomPartitioner, Kafka, Message, TopicMessages } from 'kafkajs'
import { TributaryError } from '../../schemas/errors.ts'
import { partitionOf } from './murmur2.ts'
import { installProduceEncoder } from './produce-request.ts'
import { withProducerName } from './producer-identity.ts'
import { refusalOf } from './refusal.ts'

export interface OutgoingRecord {
  readonly topic: string
  readonly key: string
  /** null deletes the key when the topic is compacted. */
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, string>>
}

export interface Producer {
  connect(): Promise<void>
  /**
   * Publishes records in order per key, acknowledged by all in-sync replicas. One call at a time: this library's idempotent producer
   * loses acknowledged records when two sends overlap and a connection drops.
   * After an error the result is unknown and this producer is spent: close it and make another.
   * @throws TributaryError `publish-failed`, `kafka-unsuitable`
   */
  send(records: readonly OutgoingRecord[]): Promise<void>
  close(): Promise<void>
}

const SEND_TIMEOUT_MS = 20_000

/** As the Java client: every record of ours has a key. */
const createPartitioner: ICustomPartitioner =
  () =>
  ({ partitionMetadata, message }) => {
    const partitions = partitionMetadata.length
    if (message instanceof PartitionCount) message.count = partitions
    return partitionOf(message.key as string, partitions)
  }

/**
 * @param name from its `connect` on, the broker refuses every earlier producer of the same name; connect only where its holder is to be
 * replaced. Without a name, producers do not know of each other
 */
export function createProducer(kafka: Kafka, name?: string): Producer {
  installProduceEncoder()
  const producer = kafka.producer({
    createPartitioner,
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5 },
  })
  let sending = false
  let spent = false

  return {
    async connect() {
      try {
        await (name === undefined ? producer.connect() : withProducerName(name, () => producer.connect()))
      } catch (cause) {
        throw (
          refusalOf(cause) ??
          new TributaryError('kafka-unreachable', `No Kafka broker answers: ${(cause as Error).message}`, { cause })
        )
      }
    },
    async send(records) {
      if (sending || spent)
        throw new TributaryError('invariant-broken', sending ? 'two sends overlap' : 'a spent producer was used again')
      sending = true
      try {
        const topicMessages = byTopic(records)
        const answers = await producer.sendBatch({ topicMessages, acks: -1, timeout: SEND_TIMEOUT_MS })
        requireAnswers(topicMessages, answers)
      } catch (cause) {
        spent = true
        throw (
          refusalOf(cause) ??
          new TributaryError(
            'publish-failed',
            `Publishing ${records.length} records failed: ${(cause as Error).message}`,
            { cause },
          )
        )
      } finally {
        sending = false
      }
    },
    async close() {
      await producer.disconnect()
    },
  }
}

/**
 * When a partition moves to a broker that has already answered, the library takes that broker for done, sends the partition's records
 * nowhere, and reports success. So every partition that was to be written must be among the answers.
 * @throws Error naming a partition that has none
 */
export function requireAnswers(
  sent: readonly { readonly topic: string; readonly messages: unknown }[],
  answers: readonly { readonly topicName: string; readonly partition: number }[],
): void {
  const answered = new Set(answers.map(({ topicName, partition }) => `${topicName}/${partition}`))
  for (const { topic, messages } of sent)
    for (const partition of (messages as Batch).partitions)
      if (!answered.has(`${topic}/${partition}`)) throw new Error(`no broker answered for ${topic}/${partition}`)
}

function byTopic(records: readonly OutgoingRecord[]): (TopicMessages & { readonly messages: Batch })[] {
  const topics = new Map<string, Batch>()
  let topic = ''
  let messages: Batch | undefined
  for (const record of records) {
    if (messages === undefined || record.topic !== topic) {
      topic = record.topic
      messages = topics.get(topic)
      messages ??= new Batch()
      topics.set(topic, messages)
    }
    messages.push(record)
  }
  return [...topics].map(([name, batch]) => ({ topic: name, messages: batch }))
}

/** A message that is never sent: through it the partitioner tells how many partitions there are. */
class PartitionCount implements Message {
  readonly key = ''
  readonly value = null
  count = 0
}

/**
 * The messages of one topic. The library sorts them by partition with a `reduce` that copies, for each, all that came before; this one
 * does the same in one pass.
 */
class Batch extends Array<Message> {
  /** Those its messages belong to, once they are sorted. */
  partitions: readonly number[] = []

  override reduce(add: unknown): never {
    const partitions = new PartitionCount()
    ;(add as (into: object, message: Message) => object)({}, partitions)
    const sorted: Record<number, Message[]> = {}
    for (const message of this) {
      const partition = partitionOf(message.key as string, partitions.count)
      const present = sorted[partition]
      if (present) present.push(message)
      else sorted[partition] = [message]
    }
    this.partitions = Object.keys(sorted).map(Number)
    return sorted as never
  }
}

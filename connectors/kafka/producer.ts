import { type Kafka, Partitioners, type TopicMessages } from 'kafkajs'
import { TributaryError } from '../../schemas/errors.ts'

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
   * @throws TributaryError `publish-failed`
   */
  send(records: readonly OutgoingRecord[]): Promise<void>
  close(): Promise<void>
}

const SEND_TIMEOUT_MS = 20_000

export function createProducer(kafka: Kafka): Producer {
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
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
        await producer.connect()
      } catch (cause) {
        throw new TributaryError('kafka-unreachable', `No Kafka broker answers: ${(cause as Error).message}`, { cause })
      }
    },
    async send(records) {
      if (sending || spent)
        throw new TributaryError('invariant-broken', sending ? 'two sends overlap' : 'a spent producer was used again')
      sending = true
      try {
        await producer.sendBatch({ topicMessages: byTopic(records), acks: -1, timeout: SEND_TIMEOUT_MS })
      } catch (cause) {
        spent = true
        throw new TributaryError(
          'publish-failed',
          `Publishing ${records.length} records failed: ${(cause as Error).message}`,
          { cause },
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

function byTopic(records: readonly OutgoingRecord[]): TopicMessages[] {
  const topics = new Map<string, TopicMessages>()
  for (const { topic, key, value, headers } of records) {
    const entry = topics.get(topic) ?? { topic, messages: [] }
    if (entry.messages.length === 0) topics.set(topic, entry)
    entry.messages.push({ key, value, headers })
  }
  return [...topics.values()]
}

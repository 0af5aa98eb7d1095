import { randomBytes } from 'node:crypto'
import type { Kafka } from 'kafkajs'
import { type KafkaAdmin, openAdmin, type TopicSettings } from '../../../connectors/kafka/admin.ts'
import { connectKafka } from '../../../connectors/kafka/client.ts'
import { createGroupConsumer, type GroupConsumer, type IncomingRecord } from '../../../connectors/kafka/consumer.ts'
import { createProducer, type OutgoingRecord } from '../../../connectors/kafka/producer.ts'
import { required } from '../../support/flow.ts'

/** One test file's topics and groups, with a prefix of their own, removed at the end. */
export interface OwnTopics {
  readonly kafka: Kafka
  readonly admin: KafkaAdmin
  readonly brokers: readonly string[]
  /** Makes a topic and tells its name. */
  make(name: string, settings?: Partial<TopicSettings>): Promise<string>
  name(of: string): string
  send(records: readonly OutgoingRecord[]): Promise<void>
  close(): Promise<void>
}

export async function ownTopics(): Promise<OwnTopics> {
  const brokers = required('TRIBUTARY_KAFKA_BROKERS').split(',')
  const kafka = connectKafka({ brokers, clientId: 'test', log: () => {} })
  const admin = await openAdmin(kafka, brokers)
  const prefix = `k${randomBytes(4).toString('hex')}`
  const made: string[] = []
  return {
    kafka,
    admin,
    brokers,
    name: (of) => `${prefix}.${of}`,
    async make(name, settings = {}) {
      const topic = `${prefix}.${name}`
      made.push(topic)
      await admin.createTopics([{ topic, partitions: 1, replication: 1, configs: {}, ...settings }])
      return topic
    },
    async send(records) {
      const producer = createProducer(kafka)
      await producer.connect()
      try {
        await producer.send(records)
      } finally {
        await producer.close()
      }
    },
    async close() {
      const plain = kafka.admin()
      await plain.connect()
      if (made.length > 0) await plain.deleteTopics({ topics: made })
      const groups = (await plain.listGroups()).groups.map(({ groupId }) => groupId)
      const ours = groups.filter((groupId) => groupId.startsWith(prefix))
      if (ours.length > 0) await plain.deleteGroups(ours)
      await plain.disconnect()
      await admin.close()
    },
  }
}

export function recordFor(topic: string, key: string, value: string | null = key): OutgoingRecord {
  return { topic, key, value: value === null ? null : Buffer.from(value), headers: {} }
}

/** A member of a group that keeps what it gets. */
export interface Reader {
  readonly consumer: GroupConsumer
  readonly records: IncomingRecord[]
  readonly crashes: Error[]
  assigned: number
  revoked: number
}

export async function startReader(kafka: Kafka, groupId: string, topics: readonly string[]): Promise<Reader> {
  const reader = makeReader(kafka, groupId, topics)
  await reader.consumer.start()
  return reader
}

export function makeReader(
  kafka: Kafka,
  groupId: string,
  topics: readonly string[],
  { rebalanceTimeoutMs = 10_000 } = {},
): Reader {
  const records: IncomingRecord[] = []
  const crashes: Error[] = []
  const consumer = createGroupConsumer(kafka, {
    groupId,
    topics,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs,
    onRecords: async (batch) => {
      records.push(...batch)
    },
    onAssigned: () => {
      reader.assigned++
    },
    onRevoked: () => {
      reader.revoked++
    },
    onHeartbeat: () => {},
    onCrash: (error) => crashes.push(error),
  })
  const reader: Reader = { consumer, records, crashes, assigned: 0, revoked: 0 }
  return reader
}

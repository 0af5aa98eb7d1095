import { randomUUID } from 'node:crypto'
import type { Kafka } from 'kafkajs'
import { TributaryError } from '../../schemas/errors.ts'
import { openAdmin } from './admin.ts'
import { createGroupConsumer, type IncomingRecord } from './consumer.ts'

const SESSION_TIMEOUT_MS = 10_000

/**
 * Reads a topic from its first record to where it ended when the reading began. For small compacted topics (positions, dead letters)
 * and for checks. The library can only read as a group, so one is made for the occasion and removed.
 * @param onRecord called in offset order within a partition; must be quick
 * @param idleMs fails when nothing arrives for so long
 */
export async function readTopic(
  kafka: Kafka,
  brokers: readonly string[],
  topic: string,
  onRecord: (record: IncomingRecord) => void,
  idleMs = 30_000,
): Promise<void> {
  const admin = await openAdmin(kafka, brokers)
  try {
    const ends = new Map<number, bigint>()
    for (const { partition, low, high } of await admin.topicOffsets(topic)) if (high > low) ends.set(partition, high)
    if (ends.size === 0) return
    const groupId = `tributary-reader-${randomUUID()}`
    await readUntil(kafka, topic, groupId, ends, onRecord, idleMs)
    await admin.deleteGroup(groupId)
  } finally {
    await admin.close()
  }
}

async function readUntil(
  kafka: Kafka,
  topic: string,
  groupId: string,
  ends: Map<number, bigint>,
  onRecord: (record: IncomingRecord) => void,
  idleMs: number,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const tooLong = () =>
    reject(new TributaryError('kafka-unreachable', `Reading topic ${topic} to its end stood still for ${idleMs} ms.`))
  // It may be rejected while the consumer still starts, when nobody waits for it yet.
  promise.catch(() => {})
  let timer = setTimeout(tooLong, idleMs)
  const consumer = createGroupConsumer(kafka, {
    groupId,
    topics: [topic],
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    rebalanceTimeoutMs: SESSION_TIMEOUT_MS,
    onRecords: async (records) => {
      clearTimeout(timer)
      timer = setTimeout(tooLong, idleMs)
      for (const record of records) {
        const end = ends.get(record.partition)
        if (end === undefined) continue
        if (record.offset < end) onRecord(record)
        if (record.offset + 1n >= end) ends.delete(record.partition)
      }
      if (ends.size === 0) resolve()
    },
    onAssigned: () => {},
    onRevoked: () => {},
    onHeartbeat: () => {},
    onCrash: reject,
  })
  try {
    await consumer.start()
    await promise
  } finally {
    clearTimeout(timer)
    await consumer.close()
  }
}

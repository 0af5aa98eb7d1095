import type { Kafka } from './client.ts'
import type { IncomingRecord } from './consumer.ts'
import { scanTopic, topicRange } from './scan-topic.ts'

/**
 * Reads a topic from its first record to where it ended when the reading began. For small compacted topics (positions, dead letters)
 * and for checks.
 * @param onRecord called in offset order within a partition
 * @throws TributaryError `topic-missing`, `kafka-unreachable`
 */
export async function readTopic(
  kafka: Kafka,
  brokers: readonly string[],
  topic: string,
  onRecord: (record: IncomingRecord) => void,
): Promise<void> {
  const range = await topicRange(kafka, brokers, topic)
  const { signal } = new AbortController()
  for await (const { records } of scanTopic(kafka, brokers, topic, range, signal))
    for (const record of records) onRecord(record)
}

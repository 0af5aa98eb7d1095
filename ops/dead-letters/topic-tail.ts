import type { Kafka } from '../../connectors/kafka/client.ts'
import type { IncomingRecord } from '../../connectors/kafka/consumer.ts'
import { scanTopic, topicRange } from '../../connectors/kafka/scan-topic.ts'
import type { PublishedRange } from '../../connectors/source.ts'

export interface TopicTail {
  /**
   * Hands on every record since the last call; the first call begins with the topic's first record.
   * @throws TributaryError `topic-missing`, `kafka-unreachable`; the signal's reason
   */
  read(onRecord: (record: IncomingRecord) => void, signal: AbortSignal): Promise<void>
}

/** Reads a topic to its end, again and again. */
export function tailTopic(kafka: Kafka, brokers: readonly string[], topic: string): TopicTail {
  const next = new Map<string, string>()
  return {
    async read(onRecord, signal) {
      const whole = await topicRange(kafka, brokers, topic)
      const added: PublishedRange = Object.fromEntries(
        Object.entries(whole).map(([partition, range]) => [
          partition,
          { next: next.get(partition) ?? range.next, end: range.end },
        ]),
      )
      for await (const { records } of scanTopic(kafka, brokers, topic, added, signal))
        for (const record of records) onRecord(record)
      for (const [partition, { end }] of Object.entries(added)) next.set(partition, end)
    },
  }
}

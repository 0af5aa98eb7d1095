import type { Kafka } from '../connectors/kafka/client.ts'
import { partitionOf } from '../connectors/kafka/murmur2.ts'
import type { OutgoingRecord } from '../connectors/kafka/producer.ts'
import { partitionCount } from '../connectors/kafka/scan-topic.ts'
import { fenceHeaders, fenceKey } from '../schemas/fence.ts'
import { captureDeadLetterTopic, positionsTopic } from '../schemas/topics.ts'

/** A fence for each partition of a topic. Pure. */
export function fenceRecords(topic: string, partitions: number, source: string): readonly OutgoingRecord[] {
  const records = new Map<number, OutgoingRecord>()
  for (let number = 0; records.size < partitions; number++) {
    const key = fenceKey(number)
    const partition = partitionOf(key, partitions)
    if (!records.has(partition)) records.set(partition, { topic, key, value: null, headers: fenceHeaders(source) })
  }
  return [...records.values()]
}

/** Fences for what is read when a source is taken over: its stored state and its dead letters. */
export async function takeOverFences(
  kafka: Kafka,
  brokers: readonly string[],
  prefix: string,
  source: string,
): Promise<readonly OutgoingRecord[]> {
  const fences: OutgoingRecord[] = []
  for (const topic of [positionsTopic(prefix), captureDeadLetterTopic(prefix, source)])
    fences.push(...fenceRecords(topic, await partitionCount(kafka, brokers, topic), source))
  return fences
}

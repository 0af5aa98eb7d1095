import type { Kafka } from '../../connectors/kafka/client.ts'
import type { IncomingRecord } from '../../connectors/kafka/consumer.ts'
import { partitionOf } from '../../connectors/kafka/murmur2.ts'
import { partitionCount, scanTopic, topicRange } from '../../connectors/kafka/scan-topic.ts'
import { valueSubject } from '../../schemas/avro.ts'
import { createDeltaDecoder } from '../../schemas/codec.ts'
import { parseDeletion } from '../../schemas/deletion.ts'
import type { Change } from '../../schemas/delta.ts'
import { isFence } from '../../schemas/fence.ts'
import { recordKey } from '../../schemas/record-head.ts'
import type { Registry } from '../../schemas/registry.ts'

export interface NewestRecord {
  readonly partition: number
  /** null when the topic has none of this key. */
  readonly record: IncomingRecord | null
}

/**
 * Finds the newest record of a key, by reading its partition to the end: Kafka has no index of keys.
 * @param onProgress called after each batch with how many records were read
 * @throws TributaryError `topic-missing`, `kafka-unreachable`
 */
export async function newestRecord(
  kafka: Kafka,
  brokers: readonly string[],
  topic: string,
  key: string,
  onProgress: (records: number) => void,
): Promise<NewestRecord> {
  const partition = partitionOf(key, await partitionCount(kafka, brokers, topic))
  const range = (await topicRange(kafka, brokers, topic))[partition]
  let record: IncomingRecord | null = null
  if (range === undefined) return { partition, record }
  let read = 0
  for await (const { records } of scanTopic(
    kafka,
    brokers,
    topic,
    { [partition]: range },
    new AbortController().signal,
  )) {
    for (const one of records) if (recordKey(one.key) === key && !isFence(one)) record = one
    read += records.length
    onProgress(read)
  }
  return { partition, record }
}

/**
 * The change that a record of an entity's topic holds.
 * @throws TributaryError `record-corrupt`, `registry-unreachable`
 */
export async function decodeRecord(
  registry: Registry,
  entity: string,
  key: string,
  { topic, value, headers }: IncomingRecord,
): Promise<Change> {
  if (value === null) return parseDeletion(entity, key, headers)
  return await createDeltaDecoder(registry).decode(valueSubject(topic), key, value)
}

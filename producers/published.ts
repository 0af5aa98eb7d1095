import type { Kafka } from '../connectors/kafka/client.ts'
import type { IncomingRecord } from '../connectors/kafka/consumer.ts'
import type { OutgoingRecord } from '../connectors/kafka/producer.ts'
import { partitionCount, type ScannedBatch, scanTopic, topicRange } from '../connectors/kafka/scan-topic.ts'
import type { CaptureContext, PublishedBatch, PublishedRange, PublishedRecord } from '../connectors/source.ts'
import { isFence } from '../schemas/fence.ts'
import { recordKey, recordVersion } from '../schemas/record-head.ts'
import { entityTopic } from '../schemas/topics.ts'
import { compareVersions, SNAPSHOT_ORDINAL, type Version } from '../schemas/version.ts'
import { fenceRecords } from './fence.ts'

/** The most records that a source gets at once. */
export const PUBLISHED_RECORDS_MAX = 1_000

/** Older than every version of a source: epochs begin at 1. */
export const UNREADABLE_VERSION: Version = { epoch: 0n, position: 0n, ordinal: SNAPSHOT_ORDINAL }

export interface PublishedOptions {
  readonly kafka: Kafka
  readonly brokers: readonly string[]
  /** The pipeline's name. */
  readonly prefix: string
  readonly source: string
  /**
   * Publishes `records` behind everything that the source has handed out; resolves once all that is on its topics, and rejects when it
   * cannot be any more.
   */
  flush(records: readonly OutgoingRecord[]): Promise<void>
  /** Ends a reading with the signal's reason, as one that was cut short must not look complete. */
  readonly signal?: AbortSignal
}

/**
 * What a source asks about the topic of an entity. First everything handed out is flushed: a range that was taken before would lack the
 * records that are still on their way, and a key that is missed by a sweep lives for ever. For the same reason each partition is fenced
 * once: a former writer of this source, frozen and not yet gone, cannot append behind what is read.
 * @throws TributaryError `topic-missing`, `kafka-unreachable`
 */
export function createPublished(options: PublishedOptions): Pick<CaptureContext, 'publishedRange' | 'published'> {
  const { kafka, brokers, prefix } = options
  const signal = options.signal ?? new AbortController().signal
  const fenced = new Map<string, Promise<void>>()

  async function settle(topic: string): Promise<void> {
    if (fenced.has(topic)) return options.flush([])
    const fencing = partitionCount(kafka, brokers, topic).then((partitions) =>
      options.flush(fenceRecords(topic, partitions, options.source)),
    )
    fenced.set(topic, fencing)
    await fencing
  }

  return {
    async publishedRange(entity) {
      const topic = entityTopic(prefix, entity)
      await settle(topic)
      return await topicRange(kafka, brokers, topic)
    },
    async *published(entity, range) {
      const topic = entityTopic(prefix, entity)
      await settle(topic)
      for await (const batch of scanTopic(kafka, brokers, topic, range, signal)) yield* publishedBatches(batch)
    },
  }
}

/** A scanned batch in parts of at most {@link PUBLISHED_RECORDS_MAX} records, of each key the newest of its part. Pure. */
export function* publishedBatches({ records, rest }: ScannedBatch): Generator<PublishedBatch, void, undefined> {
  for (let at = 0; at < records.length || at === 0; at += PUBLISHED_RECORDS_MAX) {
    const part = records.slice(at, at + PUBLISHED_RECORDS_MAX)
    const following = records[at + PUBLISHED_RECORDS_MAX]
    const left = following === undefined ? rest : restFrom(following, records.at(-1)!, rest)
    yield { records: newestOfEachKey(part), rest: left }
  }
}

/**
 * By version, not by place: a writer that ended while it published a part of the log again leaves an older record last, and subscribers
 * hold the newer one. Taken at its word, an old delete would hide a key that lives at every subscriber from the sweep.
 */
function newestOfEachKey(records: readonly IncomingRecord[]): readonly PublishedRecord[] {
  const newest = new Map<string, PublishedRecord>()
  for (const record of records) {
    if (isFence(record)) continue
    const published = publishedRecord(record)
    if (published === undefined) continue
    const known = newest.get(published.key)
    const isOvertaken =
      known !== undefined &&
      published.version !== UNREADABLE_VERSION &&
      compareVersions(published.version, known.version) < 0
    if (!isOvertaken) newest.set(published.key, published)
  }
  return [...newest.values()]
}

/**
 * What a record says. One that cannot be read was written by something else, and subscribers gave it up; it is passed on as alive and
 * older than everything, also when its value is null: then a sweep or a TRUNCATE deletes its key when the source has no such row, and
 * subscribers hear of it in a form that they understand. A key that is no text is left out, as no source could have given it and no
 * delete could name it.
 */
function publishedRecord({ key, value, headers }: IncomingRecord): PublishedRecord | undefined {
  const name = recordKey(key)
  if (name === undefined) return undefined
  const version = recordVersion(value, headers)
  if (version === undefined) return { key: name, version: UNREADABLE_VERSION, deleted: false }
  return { key: name, version, deleted: value === null }
}

/** What is left of a batch from `following` on, and what follows the batch. Its partition may have nothing behind its `last` record. */
function restFrom(following: IncomingRecord, last: IncomingRecord, rest: PublishedRange): PublishedRange {
  const { partition, offset } = following
  return { ...rest, [partition]: { next: `${offset}`, end: rest[partition]?.end ?? `${last.offset + 1n}` } }
}

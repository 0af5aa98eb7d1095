import { TributaryError } from '../../schemas/errors.ts'
import { pause } from '../pause.ts'
import type { PublishedRange } from '../source.ts'
import { offsetsOf } from './admin.ts'
import type { Kafka } from './client.ts'
import type { IncomingRecord } from './consumer.ts'
import { createPartitionReader, type FetchedRecords, isOutOfRange, type PartitionReader } from './partition-fetch.ts'
import { refusalOf } from './refusal.ts'

/** How long a partition may give nothing before the scan fails: an election, a broker that restarts. */
const STANDSTILL_MS_MAX = 30_000
const RETRY_PAUSE_MS = 250

/** @throws TributaryError `topic-missing`, `kafka-unreachable` */
export async function partitionCount(kafka: Kafka, brokers: readonly string[], topic: string): Promise<number> {
  return (await offsetsOf(kafka, brokers, topic)).length
}

export interface ScannedBatch {
  /** Of one partition, in offset order; about a quarter of a megabyte. None where compaction left a hole. */
  readonly records: readonly IncomingRecord[]
  /** What is still to be read after these; {} with the last batch. A scan of it goes on where this one was. */
  readonly rest: PublishedRange
}

/**
 * The whole of a topic as it is now: from its first record to its end. Partitions without records are left out.
 * @throws TributaryError `topic-missing`, `kafka-unreachable`
 */
export async function topicRange(kafka: Kafka, brokers: readonly string[], topic: string): Promise<PublishedRange> {
  const range: Record<string, { next: string; end: string }> = {}
  for (const { partition, low, high } of await offsetsOf(kafka, brokers, topic))
    if (high > low) range[partition] = { next: low.toString(), end: high.toString() }
  return range
}

/**
 * Reads a range of a topic, one partition after the other. What the range has and the topic has not, or no longer, is passed over; so
 * are holes that compaction left, at the end of a partition too. One batch is read ahead, no more: whoever takes the
 * batches may be busy for as long as it likes.
 * @throws the signal's reason when it aborts: a scan that was cut short must not look like one that came to its end
 * @throws TributaryError `topic-missing`, `kafka-unreachable` when a partition gives nothing for {@link STANDSTILL_MS_MAX}
 */
export async function* scanTopic(
  kafka: Kafka,
  brokers: readonly string[],
  topic: string,
  range: PublishedRange,
  signal: AbortSignal,
): AsyncGenerator<ScannedBatch, void, undefined> {
  signal.throwIfAborted()
  const asked = placesOf(range)
  if (asked.length === 0) return
  const offsets = new Map((await offsetsOf(kafka, brokers, topic)).map((row) => [row.partition, row]))
  const places = asked.flatMap((place) => withinTopic(place, offsets.get(place.partition)))
  if (places.length === 0) {
    yield { records: [], rest: {} }
    return
  }
  const reader = createPartitionReader(kafka, topic)
  const closing = new AbortController()
  const scan: Scan = { kafka, brokers, topic, reader, signal: AbortSignal.any([signal, closing.signal]) }
  let ahead: Promise<FetchedRecords> | null = null
  const read = (partition: number, next: bigint) => {
    ahead = fetchOn(scan, partition, next)
    // Nobody waits for it while the batch before is in other hands.
    ahead.catch(() => {})
    return ahead
  }
  try {
    await reader.connect().catch((cause) => {
      throw standstill(scan, 'the first connection', cause)
    })
    for (const [index, place] of places.entries()) {
      const { partition, next, end } = place
      if (next >= end) yield { records: [], rest: restOf(places, index, next) }
      let fetching = next < end ? read(partition, next) : null
      while (fetching !== null) {
        const { records, next: after } = await fetching
        fetching = after < end ? read(partition, after) : null
        signal.throwIfAborted()
        yield { records: before(records, end), rest: restOf(places, index, after) }
        signal.throwIfAborted()
      }
    }
  } finally {
    closing.abort()
    await (ahead as Promise<FetchedRecords> | null)?.catch(() => {})
    await reader.close()
  }
}

interface Place {
  readonly partition: number
  readonly next: bigint
  readonly end: bigint
}

interface Scan {
  readonly kafka: Kafka
  readonly brokers: readonly string[]
  readonly topic: string
  readonly reader: PartitionReader
  readonly signal: AbortSignal
}

function placesOf(range: PublishedRange): readonly Place[] {
  return Object.entries(range)
    .map(([partition, { next, end }]) => ({ partition: Number(partition), next: BigInt(next), end: BigInt(end) }))
    .filter(({ next, end }) => next < end)
    .sort((a, b) => a.partition - b.partition)
}

/**
 * What of a place the topic has. A range may be older than the topic: one that was made anew is shorter, perhaps of fewer partitions, and
 * what it lacks will never come.
 */
function withinTopic(place: Place, offsets: { readonly low: bigint; readonly high: bigint } | undefined): Place[] {
  if (offsets === undefined) return []
  const next = place.next > offsets.low ? place.next : offsets.low
  const end = place.end < offsets.high ? place.end : offsets.high
  return [{ ...place, next: next < end ? next : end, end }]
}

/** @param next where the partition at `index` goes on; those before it are done */
function restOf(places: readonly Place[], index: number, next: bigint): PublishedRange {
  const rest: Record<string, { next: string; end: string }> = {}
  for (const place of places.slice(index)) {
    const from = place === places[index] ? next : place.next
    if (from < place.end) rest[place.partition] = { next: from.toString(), end: place.end.toString() }
  }
  return rest
}

function before(records: readonly IncomingRecord[], end: bigint): readonly IncomingRecord[] {
  const last = records.at(-1)
  return last === undefined || last.offset < end ? records : records.filter(({ offset }) => offset < end)
}

/** Fetches until something comes, be it the end of a hole. */
async function fetchOn(scan: Scan, partition: number, next: bigint): Promise<FetchedRecords> {
  const deadline = performance.now() + STANDSTILL_MS_MAX
  for (;;) {
    let cause: unknown
    try {
      const answer = await scan.reader.fetch(partition, next)
      if (answer.next > next) return answer
      cause = new Error('the broker has nothing there')
    } catch (error) {
      cause = error
      const begin = await recover(scan, partition, error)
      if (begin !== undefined && begin > next) return { records: [], next: begin }
    }
    scan.signal.throwIfAborted()
    if (performance.now() > deadline) throw standstill(scan, `partition ${partition}, offset ${next}`, cause)
    await pause(RETRY_PAUSE_MS, scan.signal)
    scan.signal.throwIfAborted()
  }
}

/** Finds out what has changed. @returns where the partition begins now, when that may be the reason */
async function recover(scan: Scan, partition: number, error: unknown): Promise<bigint | undefined> {
  try {
    if (isOutOfRange(error)) {
      const rows = await offsetsOf(scan.kafka, scan.brokers, scan.topic)
      return rows.find((row) => row.partition === partition)?.low
    }
    await scan.reader.refresh()
  } catch (cause) {
    // A topic that is gone does not come back; brokers do, and the next fetch says whether they have.
    if (cause instanceof TributaryError && cause.fate === 'stop') throw cause
  }
  return undefined
}

function standstill({ brokers, topic }: Scan, place: string, cause: unknown): TributaryError {
  const refusal = refusalOf(cause)
  if (refusal !== undefined) return refusal
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new TributaryError(
    'kafka-unreachable',
    `Reading topic ${topic} from ${brokers.join(', ')} stood still at ${place}: ${reason}. Check that the brokers run and that ` +
      'the topic was not made anew.',
    { cause },
  )
}

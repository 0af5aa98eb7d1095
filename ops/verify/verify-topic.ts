import type { Kafka } from '../../connectors/kafka/client.ts'
import type { IncomingRecord } from '../../connectors/kafka/consumer.ts'
import { hashKey, type KeyHash } from '../../connectors/kafka/keys/key-hash.ts'
import { scanTopic, topicRange } from '../../connectors/kafka/scan-topic.ts'
import type { PublishedRange } from '../../connectors/source.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { isFence } from '../../schemas/fence.ts'
import { recordKey, recordVersion } from '../../schemas/record-head.ts'
import { type StaleKey, Suspects, type UnreadableRecord, unreadableRecord } from './suspects.ts'
import { VersionTable } from './version-table.ts'

/** How many keys are looked at in one reading of a topic, when nothing else is said: 19 MB, so that the command stays below 300 MB. */
export const KEYS_AT_ONCE = 500_000
export const NAMED_MAX = 20
/** How many keys that looked wrong are looked at once more: more than a writer that takes over repeats in one send. */
export const SUSPECTS_MAX = 10_000
/** Slices of the key space are numbers of 32 bits. */
const SLICES = 2 ** 32

/** What a topic says about the order of its versions (G1). Plain JSON; `K` and `N` below are those of {@link VerifyOptions}. */
export interface TopicVerdict {
  readonly topic: string
  /** Every key ends with its newest version, and every record can be read. */
  readonly ok: boolean
  readonly records: number
  /** Keys with a record, those among them whose last record is no delete, and the others. */
  readonly keys: number
  readonly liveKeys: number
  readonly deletedKeys: number
  /** Into how many slices the keys were cut, so that none has more than `K`. */
  readonly slices: number
  /** How often the topic was read: once for each slice, and once more when something looked wrong. */
  readonly passes: number
  /** Keys whose last record is older than another one: all of them counted, at most `N` named. */
  readonly stale: { readonly count: number; readonly named: readonly StaleKey[] }
  /** Records without a readable key or version: all of them counted, at most `N` named. */
  readonly unreadable: { readonly count: number; readonly named: readonly UnreadableRecord[] }
}

export interface VerifyOptions {
  /** `K`: bounds the memory, at 39 bytes a key. Default {@link KEYS_AT_ONCE}. */
  readonly keysAtOnce?: number
  /** `N`: how many keys and records are named, {@link SUSPECTS_MAX} at most. Default {@link NAMED_MAX}. */
  readonly namedMax?: number
  readonly signal?: AbortSignal
  /** Called for every batch, and waited for. */
  readonly onProgress?: (progress: VerifyProgress) => void | Promise<void>
}

export interface VerifyProgress {
  /** From 1. */
  readonly pass: number
  /** The part of the key space that is done, from 0 to 1, this pass not counted. */
  readonly keySpaceDone: number
  /** Offsets read in this pass, and how many there are. */
  readonly read: number
  readonly all: number
}

/**
 * Reads a topic from its beginning to where it ends now, and tells whether the last record of every key is its newest version. Equal versions
 * are fine, as a writer publishes again what it does not know to be there. Memory is bounded whatever the number of keys: where there are more
 * than `keysAtOnce` it reads again, each time for another slice of the keys. What looks wrong is looked at once more, up to where the
 * topic ends by then: a writer that repeats its last records leaves an older one at the end for a moment. What compaction has taken away cannot be
 * compared any more, so an older version that came last is found for `min.compaction.lag.ms` at least, and not for ever.
 * @throws TributaryError `topic-missing`, `kafka-unreachable`; the signal's reason
 */
export async function verifyTopic(
  kafka: Kafka,
  brokers: readonly string[],
  topic: string,
  options: VerifyOptions = {},
): Promise<TopicVerdict> {
  const { keysAtOnce = KEYS_AT_ONCE, namedMax = NAMED_MAX, onProgress = () => {} } = options
  const signal = options.signal ?? new AbortController().signal
  const range = await topicRange(kafka, brokers, topic)
  const all = lengthOf(range)
  const table = new VersionTable(Math.max(1, Math.min(keysAtOnce, all)))
  const suspects = new Suspects(SUSPECTS_MAX)
  const unreadable = { count: 0, named: [] as UnreadableRecord[] }
  const counts = { records: 0, keys: 0, live: 0, stale: 0 }
  let passes = 0

  const readAll = async (of: PublishedRange, keySpaceDone: number, onRecord: (record: IncomingRecord) => void) => {
    passes++
    const length = lengthOf(of)
    for await (const { records, rest } of scanTopic(kafka, brokers, topic, of, signal)) {
      for (const record of records) onRecord(record)
      await onProgress({ pass: passes, keySpaceDone, read: length - lengthOf(rest), all: length })
    }
  }
  const countRecord = (record: IncomingRecord) => {
    counts.records++
    const found = unreadableRecord(record)
    if (found !== undefined && ++unreadable.count <= namedMax) unreadable.named.push(found)
  }

  let from = 0
  for (let below = SLICES; from < SLICES; ) {
    const slice = new Slice(table, from, below)
    await readAll(range, from / SLICES, (record) => {
      if (from === 0) countRecord(record)
      slice.note(record)
    })
    const { keys, live, stale } = table.counts()
    counts.keys += keys
    counts.live += live
    counts.stale += stale
    for (const hash of table.stale()) suspects.add(hash)
    table.clear()
    const width = slice.below - from
    from = slice.below
    below = Math.min(SLICES, from + width)
  }

  const slices = passes
  if (suspects.size > 0) await readAll(await topicRange(kafka, brokers, topic), 1, (record) => suspects.note(record))
  const stale = suspects.stale()
  const staleCount = counts.stale - suspects.size + stale.length
  return {
    topic,
    ok: staleCount === 0 && unreadable.count === 0,
    records: counts.records,
    keys: counts.keys,
    liveKeys: counts.live,
    deletedKeys: counts.keys - counts.live,
    slices,
    passes,
    stale: { count: staleCount, named: stale.slice(0, namedMax) },
    unreadable,
  }
}

/** The keys of one pass. When there are more than the table takes, the upper half of its slices is left to a later pass. */
class Slice {
  readonly #table: VersionTable
  readonly #from: number
  readonly #hash: KeyHash = { slice: 0, rest: 0 }
  below: number

  constructor(table: VersionTable, from: number, below: number) {
    this.#table = table
    this.#from = from
    this.below = below
  }

  note(record: IncomingRecord): void {
    const { key, partition, value, headers } = record
    if (key === null || isFence(record)) return
    const hash = hashKey(key, partition, this.#hash)
    if (hash.slice < this.#from || hash.slice >= this.below) return
    const version = recordKey(key) === undefined ? undefined : recordVersion(value, headers)
    while (hash.slice < this.below && !this.#table.note(hash, version, value === null)) this.#narrow()
  }

  #narrow(): void {
    const width = this.below - this.#from
    // All keys of the table in one slice of 2^32: not by chance.
    if (width <= 1) throw new TributaryError('invariant-broken', 'the keys of a topic cannot be told apart')
    this.below = this.#from + Math.floor(width / 2)
    this.#table.drop(this.below)
  }
}

function lengthOf(range: PublishedRange): number {
  let length = 0n
  for (const { next, end } of Object.values(range)) length += BigInt(end) - BigInt(next)
  return Number(length)
}

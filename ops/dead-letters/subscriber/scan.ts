import type { Kafka } from '../../../connectors/kafka/client.ts'
import type { IncomingRecord } from '../../../connectors/kafka/consumer.ts'
import { hashKey, type KeyHash } from '../../../connectors/kafka/keys/key-hash.ts'
import { NewestTable } from '../../../connectors/kafka/keys/newest-table.ts'
import { partitionOf } from '../../../connectors/kafka/murmur2.ts'
import { partitionCount, scanTopic, topicRange } from '../../../connectors/kafka/scan-topic.ts'
import type { PublishedRange } from '../../../connectors/source.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import { type OpenLetter, readLetter } from './letters.ts'

/** How many keys are looked at in one reading of the topic: 22 MB. For more it is read again, for another slice of the keys. */
export const KEYS_AT_ONCE = 1_000_000
/** Slices of the key space are numbers of 32 bits. */
const SLICES = 2 ** 32

export interface ScanProgress {
  /** Records read, and how many there are to read as far as is known. */
  readonly read: number
  readonly all: number
}

/**
 * The open dead letters of a topic as it was at one time, in memory that is bounded whatever their number. Which record of a key is its
 * newest is known only at the end of the topic, so it is read twice (but for one key alone): once for the places of the newest, once for these themselves.
 */
export class LetterScan {
  readonly #kafka: Kafka
  readonly #brokers: readonly string[]
  readonly #topic: string
  readonly #range: PublishedRange
  readonly #length: number
  readonly #table: NewestTable
  readonly #hash: KeyHash = { slice: 0, rest: 0 }
  /** The one key that is looked for. */
  readonly #name: Buffer | null
  /** Whether the table holds all keys of the topic: then it need not be made again. */
  #isWhole = false

  private constructor(
    kafka: Kafka,
    brokers: readonly string[],
    topic: string,
    range: PublishedRange,
    name: string | undefined,
    keysAtOnce: number,
  ) {
    this.#kafka = kafka
    this.#brokers = brokers
    this.#topic = topic
    this.#range = range
    this.#length = lengthOf(range)
    this.#name = name === undefined ? null : Buffer.from(name)
    this.#table = new NewestTable(name === undefined ? Math.max(1, Math.min(keysAtOnce, this.#length)) : 1)
  }

  /**
   * @param name of the one letter that is looked for, `<entity>/<key>`: then only its partition is read
   * @throws TributaryError `topic-missing`, `kafka-unreachable`
   */
  static async open(
    kafka: Kafka,
    brokers: readonly string[],
    topic: string,
    name?: string,
    keysAtOnce = KEYS_AT_ONCE,
  ): Promise<LetterScan> {
    const whole = await topicRange(kafka, brokers, topic)
    if (name === undefined) return new LetterScan(kafka, brokers, topic, whole, name, keysAtOnce)
    const partition = partitionOf(name, await partitionCount(kafka, brokers, topic))
    const one = whole[partition]
    return new LetterScan(kafka, brokers, topic, one === undefined ? {} : { [partition]: one }, name, keysAtOnce)
  }

  /**
   * Every letter that was open when the scan was opened, but for those that compaction has taken away since; in batches of about a quarter
   * of a megabyte. May be called again.
   * @param isWanted so that others are not handed out
   * @throws TributaryError `kafka-unreachable`; the signal's reason
   */
  async *read(
    isWanted: (letter: OpenLetter) => boolean,
    onProgress: (progress: ScanProgress) => void,
    signal: AbortSignal,
  ): AsyncGenerator<readonly OpenLetter[], void, undefined> {
    if (this.#name !== null) {
      const letter = await this.#readOne(this.#name, onProgress, signal)
      if (letter !== undefined && isWanted(letter)) yield [letter]
      return
    }
    let read = 0
    for (let from = 0, below = SLICES; from < SLICES; ) {
      const readings = this.#isWhole ? 1 : 2
      const tell = (records: number) => {
        read += records
        onProgress({ read, all: Math.round(this.#length * readings * (SLICES / (below - from))) })
      }
      if (!this.#isWhole) {
        this.#table.clear()
        for await (const records of this.#records(signal)) {
          for (const record of records) below = this.#note(record, from, below)
          tell(records.length)
        }
        this.#isWhole = from === 0 && below === SLICES
      }
      for await (const records of this.#records(signal)) {
        tell(records.length)
        const letters: OpenLetter[] = []
        for (const record of records) {
          if (!this.#isOpen(record, from, below)) continue
          const letter = readLetter(record)
          if (letter !== undefined && isWanted(letter)) letters.push(letter)
        }
        if (letters.length > 0) yield letters
      }
      const width = below - from
      from = below
      below = Math.min(SLICES, from + width)
    }
  }

  /** One letter needs one reading. */
  async #readOne(
    name: Buffer,
    onProgress: (progress: ScanProgress) => void,
    signal: AbortSignal,
  ): Promise<OpenLetter | undefined> {
    let newest: IncomingRecord | undefined
    let read = 0
    for await (const records of this.#records(signal)) {
      newest = records.findLast(({ key }) => key?.equals(name)) ?? newest
      read += records.length
      onProgress({ read, all: this.#length })
    }
    return newest === undefined ? undefined : readLetter(newest)
  }

  async *#records(signal: AbortSignal): AsyncGenerator<readonly IncomingRecord[], void, undefined> {
    for await (const { records } of scanTopic(this.#kafka, this.#brokers, this.#topic, this.#range, signal))
      yield records
  }

  /** @returns where the slice ends now: when there are more keys than the table takes, its upper half is left to a later reading */
  #note({ key, partition, offset, value }: IncomingRecord, from: number, below: number): number {
    if (key === null) return below
    const hash = hashKey(key, partition, this.#hash)
    let end = below
    while (hash.slice >= from && hash.slice < end && !this.#table.note(hash, offset, value === null)) {
      // All keys of the table in one slice of 2^32: not by chance.
      if (end - from <= 1) throw new TributaryError('invariant-broken', 'the keys of a topic cannot be told apart')
      end = from + Math.floor((end - from) / 2)
      this.#table.drop(end)
    }
    return end
  }

  #isOpen({ key, partition, offset }: IncomingRecord, from: number, below: number): boolean {
    if (key === null) return false
    const hash = hashKey(key, partition, this.#hash)
    return hash.slice >= from && hash.slice < below && this.#table.isOpen(hash, offset)
  }
}

function lengthOf(range: PublishedRange): number {
  let length = 0n
  for (const { next, end } of Object.values(range)) length += BigInt(end) - BigInt(next)
  return Number(length)
}

import type { IncomingRecord } from '../../../connectors/kafka/consumer.ts'
import type { Change } from '../../../schemas/delta.ts'
import { formatVersion, type Version } from '../../../schemas/version.ts'
import { deleteOf, recordOf, upsertOf } from '../fixtures.ts'
import type { Random } from './random.ts'

export const KEYS = ['x', 'y', 'z']
export const FIELDS = ['a', 'b', 'c']

type Row = Readonly<Record<string, string>>

/** Where changes come from: a source, what its producer has published of it, and the compacted topic. */
export class Origin {
  readonly rows = new Map<string, Row | null>()
  readonly #random: Random
  readonly #keys: readonly string[]
  readonly #log: Change[] = []
  #topic: { offset: bigint; change: Change }[] = []
  /** Every record that ever was on the topic, compacted away or not. */
  readonly #history = new Map<bigint, Change>()
  #published = 0
  #settled = 0
  #nextOffset = 0n

  constructor(random: Random) {
    this.#random = random
    this.#keys = KEYS.slice(random.upTo(KEYS.length - 1))
  }

  someKey(): string {
    return this.#random.pick(this.#keys)
  }

  write(): void {
    const key = this.someKey()
    const before = this.rows.get(key)
    const value = () => String(this.#random.upTo(1))
    if (before && this.#random.chance(0.15)) this.#change(key, null)
    else if (before) this.#change(key, { ...before, [this.#random.pick(FIELDS)]: value() })
    else this.#change(key, Object.fromEntries(FIELDS.map((field) => [field, value()])))
  }

  /** A change that a directed schedule chooses, published at once; null deletes. */
  put(key: string, fields: Row | null): void {
    this.#change(key, fields && { ...this.rows.get(key), ...fields })
    this.publish()
  }

  /** A new value for a row that is there. */
  touch(key: string): void {
    const before = this.rows.get(key)
    if (before) this.#change(key, { ...before, [this.#random.pick(FIELDS)]: 'repaired' })
  }

  #change(key: string, after: Row | null): void {
    const position = this.#log.length + 1
    this.rows.set(key, after)
    this.#log.push(after === null ? deleteOf(key, position) : upsertOf(key, position, after))
  }

  publish(): void {
    const change = this.#log[this.#published]
    if (!change) return
    this.#published++
    this.#append(change)
  }

  settle(): void {
    this.#settled = this.#published
  }

  /** The producer crashed: what it had not settled is published again. */
  republish(): void {
    this.#published = this.#settled
  }

  /** An old record at the end of the topic, which a writer that was replaced left there. */
  appendStale(position: number): void {
    this.#append(this.#log[position - 1]!)
  }

  #append(change: Change): void {
    const offset = this.#nextOffset++
    this.#history.set(offset, change)
    this.#topic.push({ offset, change })
  }

  /** Leaves the last record of each key, up to a place. */
  compact(before = BigInt(this.#random.upTo(Number(this.#nextOffset)))): void {
    const last = new Map<string, bigint>()
    for (const { offset, change } of this.#topic) if (offset < before) last.set(change.key, offset)
    this.#topic = this.#topic.filter(({ offset, change }) => offset >= before || last.get(change.key) === offset)
  }

  compactAll(): void {
    this.compact(this.#nextOffset)
  }

  get high(): bigint {
    return this.#nextOffset
  }

  /** Whether every change is on the topic. */
  get published(): boolean {
    return this.#published === this.#log.length
  }

  read(from: bigint, max: number): IncomingRecord[] {
    const records: IncomingRecord[] = []
    for (const { offset, change } of this.#topic)
      if (offset >= from && records.length < max) records.push(recordOf(change, offset))
    return records
  }

  /** The version of what a record said, when it was of this key. */
  versionAt(offset: bigint, key: string): string | undefined {
    const found = this.#history.get(offset)
    return found?.key === key ? formatVersion(found.version) : undefined
  }

  newestOf(key: string): Version | undefined {
    return this.#log.findLast((change) => change.key === key)?.version
  }
}

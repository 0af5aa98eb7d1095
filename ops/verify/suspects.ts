import type { IncomingRecord } from '../../connectors/kafka/consumer.ts'
import { hashKey, type KeyHash } from '../../connectors/kafka/keys/key-hash.ts'
import { isFence } from '../../schemas/fence.ts'
import { recordKey, recordVersion } from '../../schemas/record-head.ts'
import { compareVersions, formatVersion, type Version } from '../../schemas/version.ts'

export interface RecordPlace {
  /** `epoch/position/ordinal`. */
  readonly version: string
  readonly offset: string
}

/** A key whose last record is older than another one. */
export interface StaleKey {
  /** Personal data, perhaps. */
  readonly key: string
  readonly partition: number
  readonly last: RecordPlace
  readonly newest: RecordPlace
}

/** A record that no subscriber can read. */
export interface UnreadableRecord {
  /** Personal data, perhaps; null when it is no text. */
  readonly key: string | null
  readonly partition: number
  readonly offset: string
  readonly reason: 'its key is none' | 'its value is no delta' | 'a delete without a version'
}

export function unreadableRecord(record: IncomingRecord): UnreadableRecord | undefined {
  const { partition, offset, value, headers } = record
  const key = recordKey(record.key) ?? null
  if (isFence(record)) return undefined
  const place = { key, partition, offset: offset.toString() }
  if (key === null) return { ...place, reason: 'its key is none' }
  if (recordVersion(value, headers) !== undefined) return undefined
  return { ...place, reason: value === null ? 'a delete without a version' : 'its value is no delta' }
}

interface Place {
  readonly version: Version
  readonly offset: bigint
}

interface Suspect {
  readonly hash: KeyHash
  found?: { readonly key: string; readonly partition: number; last: Place; newest: Place }
}

/**
 * Keys that looked wrong, by their hashes, which a last reading gives their names. Of more than `max` those with the lowest hashes are kept:
 * the same ones however many passes found them.
 */
export class Suspects {
  readonly #max: number
  readonly #byHash = new Map<number, Suspect[]>()
  readonly #sorted: KeyHash[] = []
  readonly #hash: KeyHash = { slice: 0, rest: 0 }

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#sorted.length
  }

  add(hash: KeyHash): void {
    if (this.#sorted.length === this.#max) {
      const highest = this.#sorted.at(-1)
      if (highest === undefined || byHash(hash, highest) > 0) return
      this.#sorted.pop()
    }
    const index = this.#sorted.findIndex((other) => byHash(hash, other) < 0)
    this.#sorted.splice(index < 0 ? this.#sorted.length : index, 0, hash)
  }

  /** Takes the next record of the topic, in offset order. */
  note({ key, partition, offset, value, headers }: IncomingRecord): void {
    if (key === null) return
    if (this.#byHash.size === 0) this.#index()
    const { slice, rest } = hashKey(key, partition, this.#hash)
    const suspect = this.#byHash.get(slice)?.find((one) => one.hash.rest === rest)
    if (suspect === undefined) return
    const name = recordKey(key)
    const version = name === undefined ? undefined : recordVersion(value, headers)
    if (name === undefined || version === undefined) return
    const last = { version, offset }
    if (suspect.found === undefined) suspect.found = { key: name, partition, last, newest: last }
    else {
      suspect.found.last = last
      if (compareVersions(version, suspect.found.newest.version) >= 0) suspect.found.newest = last
    }
  }

  /** Those that are wrong, in the order of the topic. */
  stale(): readonly StaleKey[] {
    return [...this.#byHash.values()]
      .flat()
      .flatMap(({ found }) => found ?? [])
      .filter(({ last, newest }) => compareVersions(last.version, newest.version) < 0)
      .sort((a, b) => a.partition - b.partition || (a.last.offset < b.last.offset ? -1 : 1))
      .map(({ key, partition, last, newest }) => ({ key, partition, last: placeOf(last), newest: placeOf(newest) }))
  }

  #index(): void {
    for (const hash of this.#sorted) {
      const suspects = this.#byHash.get(hash.slice)
      if (suspects) suspects.push({ hash })
      else this.#byHash.set(hash.slice, [{ hash }])
    }
  }
}

function byHash(a: KeyHash, b: KeyHash): number {
  return a.slice - b.slice || a.rest - b.rest
}

function placeOf({ version, offset }: Place): RecordPlace {
  return { version: formatVersion(version), offset: offset.toString() }
}

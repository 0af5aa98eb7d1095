import { TributaryError } from '../../../schemas/errors.ts'
import { isFence } from '../../../schemas/fence.ts'
import type { IncomingRecord } from '../consumer.ts'
import { hashKey, type KeyHash } from './key-hash.ts'
import { NewestTable } from './newest-table.ts'

/** How many keys are looked at in one reading of a partition, when nothing else is said: 11 MB. */
export const KEYS_AT_ONCE = 500_000
/** Slices of the key space are numbers of 32 bits. */
const SLICES = 2 ** 32

/**
 * Where the newest record of each key of one partition is, in memory that is bounded whatever the number of keys. When there are more than
 * the table takes, it holds only a slice of them: the partition is read again for the next one. Pure book-keeping.
 */
export class KeyPlaces {
  readonly #table: NewestTable
  readonly #hash: KeyHash = { slice: 0, rest: 0 }
  #from = 0
  #below = 0
  #width = SLICES

  /** @param keysMax how many keys it holds at once, at least one */
  constructor(keysMax: number) {
    this.#table = new NewestTable(Math.max(1, keysMax))
  }

  /** The part of the key space that was held before this slice, from 0 to 1. */
  get done(): number {
    return this.#from / SLICES
  }

  /** The part of the key space that this slice is, from 0 to 1. */
  get share(): number {
    return (this.#below - this.#from) / SLICES
  }

  /** Begins the next slice; the partition is to be noted from its beginning. @returns false when there is none left */
  next(): boolean {
    if (this.#below > 0) this.#width = this.#below - this.#from
    if (this.#below >= SLICES) return false
    this.#from = this.#below
    this.#below = Math.min(SLICES, this.#from + this.#width)
    this.#table.clear()
    return true
  }

  /** Notes the next record, in offset order. */
  note(record: IncomingRecord): void {
    const { key, partition, offset, value } = record
    if (key === null || isFence(record)) return
    const hash = hashKey(key, partition, this.#hash)
    while (this.#holds(hash) && !this.#table.note(hash, offset, value === null)) this.#narrow()
  }

  /** Whether a record is the newest of a key of this slice. */
  isNewest({ key, partition, offset }: IncomingRecord): boolean {
    if (key === null) return false
    const hash = hashKey(key, partition, this.#hash)
    return this.#holds(hash) && this.#table.isNewest(hash, offset)
  }

  /** `other`: the key is of another slice */
  stateOf(key: Uint8Array, partition: number): 'live' | 'gone' | 'other' {
    const hash = hashKey(key, partition, this.#hash)
    if (!this.#holds(hash)) return 'other'
    return this.#table.isLive(hash) ? 'live' : 'gone'
  }

  #holds({ slice }: KeyHash): boolean {
    return slice >= this.#from && slice < this.#below
  }

  #narrow(): void {
    const width = this.#below - this.#from
    // All keys of the table in one slice of 2^32: not by chance.
    if (width <= 1) throw new TributaryError('invariant-broken', 'the keys of a topic cannot be told apart')
    this.#below = this.#from + Math.floor(width / 2)
    this.#table.drop(this.#below)
  }
}

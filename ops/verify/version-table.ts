import type { KeyHash } from '../../connectors/kafka/keys/key-hash.ts'
import { VERSION_BYTES, type Version, writeVersion } from '../../schemas/version.ts'

/** How full it may become: beyond that the search for a free slot takes long. */
const LOAD_MAX = 0.75

const USED = 1
const DELETED = 2
const STALE = 4

export interface TableCounts {
  readonly keys: number
  readonly live: number
  readonly stale: number
}

/**
 * The newest version of each key, and whether the last record had it: 29 bytes a slot and no object a key. A hash table with open addressing whose
 * search goes from a key's own slot to the next free one.
 */
export class VersionTable {
  readonly #keysMax: number
  readonly #slots: number
  readonly #slices: Uint32Array
  readonly #rests: Uint32Array
  readonly #states: Uint8Array
  readonly #versions: Buffer
  readonly #scratch = Buffer.alloc(VERSION_BYTES)
  #size = 0

  /** @param keysMax how many keys it takes, at least one */
  constructor(keysMax: number) {
    this.#keysMax = keysMax
    this.#slots = Math.ceil(keysMax / LOAD_MAX) + 1
    this.#slices = new Uint32Array(this.#slots)
    this.#rests = new Uint32Array(this.#slots)
    this.#states = new Uint8Array(this.#slots)
    this.#versions = Buffer.alloc(this.#slots * VERSION_BYTES)
  }

  /**
   * Notes the next record of a key.
   * @param version undefined when it cannot be read: then nothing is said about the order
   * @returns false when the key is new and there is no room for it; {@link drop} makes some
   */
  note(key: Readonly<KeyHash>, version: Version | undefined, deleted: boolean): boolean {
    const slot = this.#find(key)
    const isNew = this.#states[slot] === 0
    if (isNew) {
      if (this.#size === this.#keysMax) return false
      this.#size++
      this.#slices[slot] = key.slice
      this.#rests[slot] = key.rest
      this.#versions.fill(0, slot * VERSION_BYTES, (slot + 1) * VERSION_BYTES)
    }
    let isStale = false
    if (version !== undefined) {
      writeVersion(version, this.#scratch)
      const order = this.#scratch.compare(this.#versions, slot * VERSION_BYTES, (slot + 1) * VERSION_BYTES)
      isStale = order < 0
      if (order > 0) this.#scratch.copy(this.#versions, slot * VERSION_BYTES)
    }
    this.#states[slot] = USED | (deleted ? DELETED : 0) | (isStale ? STALE : 0)
    return true
  }

  /** Forgets every key whose slice is `from` or above. */
  drop(from: number): void {
    // What follows a slot that becomes free may have been put there only because it was taken. So every key is taken out and put in again, from
    // behind a free slot on: the slots it may go to are then those before its old one, which are done.
    const free = this.#states.indexOf(0)
    const version = Buffer.alloc(VERSION_BYTES)
    for (let step = 1; step < this.#slots; step++) {
      const slot = (free + step) % this.#slots
      const state = this.#states[slot]!
      if (state === 0) continue
      this.#states[slot] = 0
      const key = { slice: this.#slices[slot]!, rest: this.#rests[slot]! }
      if (key.slice >= from) {
        this.#size--
        continue
      }
      this.#versions.copy(version, 0, slot * VERSION_BYTES, (slot + 1) * VERSION_BYTES)
      const to = this.#find(key)
      this.#slices[to] = key.slice
      this.#rests[to] = key.rest
      this.#states[to] = state
      version.copy(this.#versions, to * VERSION_BYTES)
    }
  }

  clear(): void {
    this.#states.fill(0)
    this.#size = 0
  }

  counts(): TableCounts {
    let live = 0
    let stale = 0
    for (const state of this.#states) {
      if (state !== 0 && (state & DELETED) === 0) live++
      if ((state & STALE) !== 0) stale++
    }
    return { keys: this.#size, live, stale }
  }

  /** The keys whose last record is older than another one. */
  *stale(): Generator<KeyHash, void, undefined> {
    for (let slot = 0; slot < this.#slots; slot++)
      if ((this.#states[slot]! & STALE) !== 0) yield { slice: this.#slices[slot]!, rest: this.#rests[slot]! }
  }

  /** The slot of a key, or the free one where it belongs. There is always a free one. */
  #find({ slice, rest }: Readonly<KeyHash>): number {
    let slot = rest % this.#slots
    while (this.#states[slot] !== 0 && (this.#rests[slot] !== rest || this.#slices[slot] !== slice))
      slot = slot + 1 === this.#slots ? 0 : slot + 1
    return slot
  }
}

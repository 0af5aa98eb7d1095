import type { KeyHash } from './key-hash.ts'

/** How full it may become: beyond that the search for a free slot takes long. */
const LOAD_MAX = 0.75

/**
 * Where the newest record of each key is: 16 bytes a slot and no object a key. A hash table with open addressing whose search goes from a
 * key's own slot to the next free one.
 */
export class NewestTable {
  readonly #keysMax: number
  readonly #slots: number
  readonly #slices: Uint32Array
  readonly #rests: Uint32Array
  /** The offset + 1, negative for a record that ends its key; 0 in a free slot. Exact, as no partition has 2^53 records. */
  readonly #places: Float64Array
  #size = 0

  /** @param keysMax how many keys it takes, at least one */
  constructor(keysMax: number) {
    this.#keysMax = keysMax
    this.#slots = Math.ceil(keysMax / LOAD_MAX) + 1
    this.#slices = new Uint32Array(this.#slots)
    this.#rests = new Uint32Array(this.#slots)
    this.#places = new Float64Array(this.#slots)
  }

  /**
   * Notes the next record of a key; the records of a key come in the order of their offsets.
   * @returns false when the key is new and there is no room for it; {@link drop} makes some
   */
  note(key: Readonly<KeyHash>, offset: bigint, isEnd: boolean): boolean {
    const slot = this.#find(key)
    if (this.#places[slot] === 0) {
      if (this.#size === this.#keysMax) return false
      this.#size++
      this.#slices[slot] = key.slice
      this.#rests[slot] = key.rest
    }
    const place = Number(offset) + 1
    this.#places[slot] = isEnd ? -place : place
    return true
  }

  /** Whether the record at this offset is the newest of its key, and does not end it. */
  isOpen(key: Readonly<KeyHash>, offset: bigint): boolean {
    return this.#places[this.#find(key)] === Number(offset) + 1
  }

  /** Whether the record at this offset is the newest of its key, be it one that ends it. */
  isNewest(key: Readonly<KeyHash>, offset: bigint): boolean {
    return Math.abs(this.#places[this.#find(key)]!) === Number(offset) + 1
  }

  /** Whether the key has a record, and the newest does not end it. */
  isLive(key: Readonly<KeyHash>): boolean {
    return this.#places[this.#find(key)]! > 0
  }

  /** Forgets every key whose slice is `from` or above. */
  drop(from: number): void {
    const [slices, rests, places] = [this.#slices.slice(), this.#rests.slice(), this.#places.slice()]
    this.clear()
    for (const [at, place] of places.entries()) {
      if (place === 0 || slices[at]! >= from) continue
      const slot = this.#find({ slice: slices[at]!, rest: rests[at]! })
      this.#slices[slot] = slices[at]!
      this.#rests[slot] = rests[at]!
      this.#places[slot] = place
      this.#size++
    }
  }

  clear(): void {
    this.#places.fill(0)
    this.#size = 0
  }

  /** The slot of a key, or the free one where it belongs. There is always a free one. */
  #find({ slice, rest }: Readonly<KeyHash>): number {
    let slot = rest % this.#slots
    while (this.#places[slot] !== 0 && (this.#rests[slot] !== rest || this.#slices[slot] !== slice))
      slot = slot + 1 === this.#slots ? 0 : slot + 1
    return slot
  }
}

/** So much memory may be taken by remembered keys; beyond it a key may be taken for a new one. */
const KEY_BYTES_MAX = 16_777_216
/** What the set and the string take beside the characters, roughly. */
const OVERHEAD_BYTES = 64

/**
 * Keys that were just deleted: a topic has several records of a key until it is compacted, and one delete is enough. The keys
 * themselves, not hashes: of two keys with one hash the second would never be deleted.
 */
export class RememberedKeys {
  readonly #keys = new Set<string>()
  #bytesLeft: number

  constructor(bytesMax = KEY_BYTES_MAX) {
    this.#bytesLeft = bytesMax
  }

  /** Whether the key is new. */
  add(key: string): boolean {
    if (this.#keys.has(key)) return false
    // A string has at most two bytes a character.
    const bytes = OVERHEAD_BYTES + 2 * key.length
    if (bytes <= this.#bytesLeft) {
      this.#keys.add(key)
      this.#bytesLeft -= bytes
    }
    return true
  }
}

/** So many keys are remembered; beyond them a key may be taken for a new one. */
const KEYS_MAX = 100_000

/** Keys that were just deleted: a topic has several records of a key until it is compacted, and one delete is enough. */
export class RememberedKeys {
  readonly #keys = new Set<string>()

  /** Whether the key is new. */
  add(key: string): boolean {
    if (this.#keys.has(key)) return false
    if (this.#keys.size < KEYS_MAX) this.#keys.add(key)
    return true
  }
}

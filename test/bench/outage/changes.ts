import { keyOfChange, type Sent } from '../support/load.ts'

/** When each change of the load was due, and when a subscriber had it, or a newer one of its key. Milliseconds since 1970. */
export class Changes {
  readonly #keys: number
  readonly #dueAtMs: number[] = []
  readonly #newest = new Map<number, number>()

  constructor(keys: number) {
    this.#keys = keys
  }

  sent({ number, dueAtMs }: Sent): void {
    this.#dueAtMs[number] = dueAtMs
    const key = keyOfChange(number, this.#keys)
    this.#newest.set(key, Math.max(this.#newest.get(key) ?? 0, number))
  }

  /** How many have been confirmed so far. */
  get count(): number {
    return Object.keys(this.#dueAtMs).length
  }

  /** The newest change of each key. */
  newest(): readonly number[] {
    return [...this.#newest.values()]
  }

  /** When a subscriber had a change, by what it has seen; undefined when it has not. Each key comes back after as many changes as there are keys. */
  hadAtMs(seen: ReadonlyMap<number, number>, number: number): number | undefined {
    for (let later = number; later < this.#dueAtMs.length; later += this.#keys) {
      const at = seen.get(later)
      if (at !== undefined) return at
    }
    return undefined
  }

  /**
   * How long the changes that were due in a window took to arrive.
   * @throws Error when one has not arrived
   */
  latencies(seen: ReadonlyMap<number, number>, fromMs: number, toMs: number): number[] {
    const latencies: number[] = []
    for (const [number, dueAtMs] of this.#dueAtMs.entries()) {
      if (dueAtMs === undefined || dueAtMs < fromMs || dueAtMs >= toMs) continue
      const at = this.hadAtMs(seen, number)
      if (at === undefined) throw new Error(`change ${number} has not arrived: this run is void`)
      latencies.push(at - dueAtMs)
    }
    return latencies
  }
}

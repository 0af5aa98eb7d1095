const START_MAX = 8
/** After trouble it grows no more for so long: what is under way then tells of the same trouble. */
const CALM_MS = 1_000

/**
 * How many requests may be under way: as many as the destination takes. Doubles while all goes well at first, then grows by one for each
 * round of answers; halves when it is throttled or fails. Pure: times are given, ms of a monotonic clock.
 */
export class Concurrency {
  readonly #max: number
  #limit: number
  #threshold: number
  #calmUntil = 0

  /** @param max what is declared */
  constructor(max: number) {
    this.#max = max
    this.#limit = Math.min(max, START_MAX)
    this.#threshold = max
  }

  get limit(): number {
    return Math.max(1, Math.floor(this.#limit))
  }

  /** @param underWay how many were, this one included: room that nobody uses proves nothing */
  answered(underWay: number): void {
    if (underWay < this.limit) return
    this.#limit = Math.min(this.#max, this.#limit + (this.#limit < this.#threshold ? 1 : 1 / this.#limit))
  }

  /** It was throttled, or failed. */
  trouble(now: number): void {
    if (now < this.#calmUntil) return
    this.#calmUntil = now + CALM_MS
    this.#limit = Math.max(1, this.#limit / 2)
    this.#threshold = this.#limit
  }
}

/** How much may be sent at once, as a share of what may be sent in a second. */
const BURST_SECONDS = 0.2

/** Decides how many commands may be sent now, so that there are never more than so many a second. Pure. */
export class Pace {
  readonly #perMs: number
  readonly #most: number
  #left: number
  #atMs: number

  /** @param perSecond Infinity for as many as one likes */
  constructor(perSecond: number, nowMs: number) {
    this.#perMs = perSecond / 1000
    this.#most = Math.max(1, perSecond * BURST_SECONDS)
    this.#left = 1
    this.#atMs = nowMs
  }

  /** How many of so many may be sent now; they count as sent. */
  take(wanted: number, nowMs: number): number {
    if (this.#most === Number.POSITIVE_INFINITY) return wanted
    this.#left = Math.min(this.#most, this.#left + (nowMs - this.#atMs) * this.#perMs)
    this.#atMs = nowMs
    const granted = Math.min(wanted, Math.floor(this.#left))
    this.#left -= granted
    return granted
  }
}

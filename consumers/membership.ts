/**
 * Whether the group still counts this member in. An owner out of touch for the session time-out may have been replaced without knowing,
 * so it sends nothing until the coordinator confirms it again. Times are of a monotonic clock: setting the clock must not open the fence.
 */
export class Membership {
  readonly #sessionTimeoutMs: number
  readonly #now: () => number
  #confirmedAt = Number.NEGATIVE_INFINITY
  #waiting: ((confirmed: boolean) => void)[] = []

  constructor(sessionTimeoutMs: number, now: () => number = () => performance.now()) {
    this.#sessionTimeoutMs = sessionTimeoutMs
    this.#now = now
  }

  /** The coordinator has confirmed this member just now. */
  confirmed(): void {
    this.#confirmedAt = this.#now()
    this.#wake(true)
  }

  /** Lets whoever waits look again, because partitions were taken away or the process stops. */
  wake(): void {
    this.#wake(false)
  }

  get inTouch(): boolean {
    return this.silentMs < this.#sessionTimeoutMs
  }

  /** How long ago the coordinator confirmed this member. */
  get silentMs(): number {
    return this.#now() - this.#confirmedAt
  }

  /** Waits for the next confirmation, or for {@link wake}; tells whether it was a confirmation. */
  next(): Promise<boolean> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #wake(confirmed: boolean): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake(confirmed)
  }
}

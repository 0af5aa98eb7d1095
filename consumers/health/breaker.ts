/** When a breaker opens and how often it lets something try, in milliseconds. */
export interface BreakerPolicy {
  /** Requests in a row that fail before it opens. */
  readonly failures: number
  readonly probeMsMin: number
  readonly probeMsMax: number
}

export const BREAKER: BreakerPolicy = { failures: 5, probeMsMin: 1_000, probeMsMax: 30_000 }

export const BREAKER_STATES = ['closed', 'open', 'probing'] as const
export type BreakerState = (typeof BREAKER_STATES)[number]

/**
 * Keeps requests from a destination that is down, so that nothing is spent on it and its return is noticed: after some failures in a row it
 * opens; then one request at a time is let through, at growing intervals, until one is answered. Pure: times are given, ms of a monotonic
 * clock.
 */
export class Breaker {
  readonly #policy: BreakerPolicy
  #failures = 0
  #openUntil = 0
  #restUntil = 0
  #probing = false

  constructor(policy: BreakerPolicy) {
    this.#policy = policy
  }

  get state(): BreakerState {
    if (this.#failures < this.#policy.failures) return 'closed'
    return this.#probing ? 'probing' : 'open'
  }

  /** How long nothing may start, in ms; 0 when something may now; infinity while a probe is under way. */
  waitMs(now: number): number {
    const rest = Math.max(0, this.#restUntil - now)
    if (this.state === 'closed') return rest
    return this.#probing ? Number.POSITIVE_INFINITY : Math.max(rest, this.#openUntil - now, 0)
  }

  /** A request begins. */
  begin(): void {
    if (this.state === 'open') this.#probing = true
  }

  /** A request was answered, whatever it said of its records. */
  succeeded(): void {
    this.#failures = 0
    this.#probing = false
  }

  /** @param jitter from 0 to 1 */
  failed(now: number, jitter: number): void {
    // Those that were under way when it opened say nothing new.
    if (this.state === 'open') return
    this.#failures++
    this.#probing = false
    const beyond = this.#failures - this.#policy.failures
    if (beyond < 0) return
    const delay = Math.min(this.#policy.probeMsMin * 2 ** Math.min(beyond, 20), this.#policy.probeMsMax)
    this.#openUntil = now + delay * (0.5 + jitter / 2)
  }

  /** A request ended without saying anything of the destination. */
  ended(): void {
    this.#probing = false
  }

  /** It asked to be left alone for so long. */
  rest(now: number, ms: number): void {
    this.#restUntil = Math.max(this.#restUntil, now + ms)
    this.#probing = false
  }
}

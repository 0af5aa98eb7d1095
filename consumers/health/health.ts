import type { Budget, Outcome } from '../../connectors/destination.ts'
import { CONSEQUENCES } from '../outcomes.ts'
import { Breaker, type BreakerPolicy, type BreakerState } from './breaker.ts'
import { Concurrency } from './concurrency.ts'

/** A destination that asks for more is asked again after this. */
export const REST_MS_MAX = 3_600_000
/** One that asks for less is left alone for this, doubled each time in a row. */
const REST_MS_MIN = 100
const REST_DOUBLINGS_MAX = 7
/** An allowance that is used up is looked at again after this at the latest. */
const BUDGET_MS_MAX = 5_000

export interface HealthOptions {
  readonly breaker: BreakerPolicy
  /** The most requests under way, as declared. */
  readonly requestsMax: number
  /**
   * The share of the destination's allowance that is left to others, 0 to 1: what a standard class leaves to the critical one that spends
   * the same allowance, in this process or another.
   */
  readonly reserve: number
  readonly budget: () => Budget | null
}

/**
 * What the answers of one destination say of it, for one class of entities: how many requests it may get now, and from when on. Pure but
 * for the budget, which the destination decides; times are ms of a monotonic clock.
 */
export class Health {
  readonly #options: HealthOptions
  readonly #breaker: Breaker
  readonly #concurrency: Concurrency
  readonly #answered = new Map<string, number>()
  #throttled = 0

  constructor(options: HealthOptions) {
    this.#options = options
    this.#breaker = new Breaker(options.breaker)
    this.#concurrency = new Concurrency(options.requestsMax)
  }

  /** How many requests for an entity it has answered, whatever it said of their records: a table may be down by itself. */
  answered(entity: string): number {
    return this.#answered.get(entity) ?? 0
  }

  get state(): BreakerState {
    return this.#breaker.state
  }

  /** How many requests may be under way now. */
  get limit(): number {
    if (this.#breaker.state !== 'closed') return 1
    return Math.min(this.#concurrency.limit, this.#options.budget()?.requestsMax ?? Number.POSITIVE_INFINITY)
  }

  /** How long nothing may start, in ms; 0 when something may now; infinity while a probe is under way. */
  waitMs(now: number): number {
    const wait = this.#breaker.waitMs(now)
    const budget = this.#options.budget()
    // What is left of an allowance is less than one request only when it is nothing.
    if (budget === null || budget.left > this.#options.reserve) return wait
    return Math.max(wait, Math.min(Math.max(budget.moreInMs, REST_MS_MIN), BUDGET_MS_MAX))
  }

  /** The most records of one request: a probe is one record, so that a culprit does not keep the way shut for the others. */
  get recordsMax(): number {
    return this.#breaker.state === 'closed' ? Number.POSITIVE_INFINITY : 1
  }

  begin(): void {
    this.#breaker.begin()
  }

  /**
   * A request for records of one entity has ended.
   * @param outcomes the destination's own words; none when it was not asked after all
   * @param underWay how many requests were, this one included
   * @param jitter from 0 to 1
   */
  ended(entity: string, outcomes: readonly Outcome[], underWay: number, now: number, jitter: number): void {
    if (outcomes.length === 0) {
      this.#breaker.ended()
      return
    }
    const told = new Set(outcomes.map(({ kind }) => CONSEQUENCES[kind].health))
    if (told.has('works')) {
      this.#answered.set(entity, this.answered(entity) + 1)
      this.#throttled = 0
      this.#breaker.succeeded()
    } else if (told.has('fails')) this.#breaker.failed(now, jitter)
    if (told.has('wants-rest')) this.#rest(outcomes, now)
    if (told.has('fails') || told.has('wants-rest')) this.#concurrency.trouble(now)
    else this.#concurrency.answered(underWay)
  }

  #rest(outcomes: readonly Outcome[], now: number): void {
    const asked = outcomes.map((outcome) => (outcome.kind === 'throttled' ? outcome.afterMs : 0))
    const least = REST_MS_MIN * 2 ** Math.min(this.#throttled++, REST_DOUBLINGS_MAX)
    this.#breaker.rest(now, Math.min(Math.max(...asked, least), REST_MS_MAX))
  }
}

import type { BreakerState } from '../../../consumers/health/breaker.ts'
import { LatencyWindow, type Percentiles } from './rolling.ts'

/** `down`: its breaker is open · `retrying`: it answered something that is tried again · `catching-up`: more waits than usual. */
export type SubscriberState = 'ok' | 'catching-up' | 'retrying' | 'down'

/** How a time of being down went. Times are milliseconds. */
export interface OutageView {
  readonly downMs: number
  /** The most records that waited. */
  readonly behindMost: number
  /** From its first good answer until nothing waited any more; null while it is down or catches up. */
  readonly caughtUpMs: number | null
}

export interface SubscriberView {
  readonly name: string
  /** Its kind of system, as in the declaration. */
  readonly type: string
  readonly state: SubscriberState
  /** Records published and not yet settled; null when nobody said. */
  readonly behind: number | null
  /** The same at the end of each of the last seconds, oldest first. */
  readonly behindHistory: readonly number[]
  /** Patches and deletes that took effect, those of the first copy included. */
  readonly patches: number
  readonly latency: Percentiles | null
  readonly deadLetters: number
  /** The newest one, until some time after it; null when there was none. */
  readonly outage: OutageView | null
}

export const BEHIND_SECONDS = 30
/** More than what a busy second leaves for the next. */
const BEHIND_USUAL = 25
/** Above this it is not over: some records are always on their way. */
const CAUGHT_UP = 3
const TROUBLE_KEPT_MS = 3_000
const OUTAGE_KEPT_MS = 60_000

/** Answers after which the engine tries again, because of the destination or of a record. */
const TRIED_AGAIN: readonly string[] = ['conflict', 'blocked', 'throttled', 'unavailable', 'unknown']

/** Gathers what is told of one subscriber. Pure: no clock; memory is bounded. */
export class SubscriberTracker {
  readonly #name: string
  readonly #type: string
  readonly #latency: LatencyWindow
  readonly #open = new Set<string>()
  #lags: { readonly second: number; readonly behind: number }[] = []
  #behind: number | null = null
  #patches = 0
  #deadLetters = 0
  #troubleAtMs = Number.NEGATIVE_INFINITY
  #outage: { sinceMs: number; behindMost: number; healedAtMs: number | null; caughtUpAtMs: number | null } | null = null

  constructor(name: string, type: string, latencySeconds: number) {
    this.#name = name
    this.#type = type
    this.#latency = new LatencyWindow(latencySeconds)
  }

  get isDown(): boolean {
    return this.#open.size > 0
  }

  get behind(): number | null {
    return this.#behind
  }

  /** @param latencyMs null for a row of the first copy */
  patched(latencyMs: number | null, nowMs: number): void {
    this.#patches++
    if (latencyMs !== null) this.#latency.add(latencyMs, nowMs)
  }

  answered(outcome: string, nowMs: number): void {
    if (TRIED_AGAIN.includes(outcome)) this.#troubleAtMs = nowMs
  }

  deadLettered(count: number): void {
    this.#deadLetters += count
  }

  /** @param entityClass each class has a breaker of its own */
  breaker(entityClass: string, state: BreakerState, nowMs: number): void {
    if (state === 'closed') this.#open.delete(entityClass)
    else this.#open.add(entityClass)
    if (this.isDown) {
      if (this.#outage === null || this.#outage.caughtUpAtMs !== null)
        this.#outage = { sinceMs: nowMs, behindMost: this.#behind ?? 0, healedAtMs: null, caughtUpAtMs: null }
      this.#outage.healedAtMs = null
    } else if (this.#outage !== null) this.#outage.healedAtMs ??= nowMs
  }

  setBehind(records: number, nowMs: number): void {
    this.#behind = records
    const second = Math.floor(nowMs / 1_000)
    if (this.#lags.at(-1)?.second === second) this.#lags.pop()
    this.#lags.push({ second, behind: records })
    if (this.#lags.length > BEHIND_SECONDS + 1) this.#lags.shift()
    const outage = this.#outage
    if (outage === null || outage.caughtUpAtMs !== null) return
    outage.behindMost = Math.max(outage.behindMost, records)
    if (outage.healedAtMs !== null && records <= CAUGHT_UP) outage.caughtUpAtMs = nowMs
  }

  view(nowMs: number): SubscriberView {
    return {
      name: this.#name,
      type: this.#type,
      state: this.#state(nowMs),
      behind: this.#behind,
      behindHistory: this.#history(nowMs),
      patches: this.#patches,
      latency: this.#latency.percentiles(nowMs),
      deadLetters: this.#deadLetters,
      outage: this.#outageView(nowMs),
    }
  }

  #state(nowMs: number): SubscriberState {
    if (this.isDown) return 'down'
    if ((this.#behind ?? 0) > BEHIND_USUAL) return 'catching-up'
    return nowMs - this.#troubleAtMs < TROUBLE_KEPT_MS ? 'retrying' : 'ok'
  }

  /** A second in which nothing was told is as the one before. */
  #history(nowMs: number): readonly number[] {
    const now = Math.floor(nowMs / 1_000)
    return Array.from({ length: BEHIND_SECONDS }, (_, at) => {
      const second = now - BEHIND_SECONDS + 1 + at
      return this.#lags.findLast((told) => told.second <= second)?.behind ?? 0
    })
  }

  #outageView(nowMs: number): OutageView | null {
    const outage = this.#outage
    if (outage === null) return null
    const { sinceMs, behindMost, healedAtMs, caughtUpAtMs } = outage
    if (caughtUpAtMs !== null && nowMs - caughtUpAtMs > OUTAGE_KEPT_MS) return null
    return {
      downMs: (healedAtMs ?? nowMs) - sinceMs,
      behindMost,
      caughtUpMs: caughtUpAtMs === null || healedAtMs === null ? null : caughtUpAtMs - healedAtMs,
    }
  }
}

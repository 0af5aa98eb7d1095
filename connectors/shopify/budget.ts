import type { Budget } from '../destination.ts'
import { at, type Json } from './json.ts'

/** The bucket of points as it was told last (`extensions.cost.throttleStatus`), and when. */
export interface Bucket {
  readonly maximum: number
  readonly available: number
  readonly restorePerSecond: number
  readonly toldAtMs: number
  /** The most points that one request has asked for so far. */
  readonly requestPoints: number
}

/** The longest wait that a bucket is taken to need: it is never empty for longer than it takes to fill. */
const WAIT_MS_MAX = 60_000
/** For a request whose cost is not told. */
const WAIT_MS_FALLBACK = 1_000

/** The bucket after an answer; as before where the answer does not say. `now` is of a monotonic clock. */
export function bucketAfter(before: Bucket | null, answer: Json | undefined, now: number): Bucket | null {
  const cost = at(answer, 'extensions', 'cost')
  const status = at(cost, 'throttleStatus')
  const maximum = at(status, 'maximumAvailable')
  const available = at(status, 'currentlyAvailable')
  const restorePerSecond = at(status, 'restoreRate')
  if (typeof maximum !== 'number' || typeof available !== 'number' || typeof restorePerSecond !== 'number')
    return before
  if (!(maximum > 0) || !(restorePerSecond > 0)) return before
  const requested = at(cost, 'requestedQueryCost')
  const requestPoints = Math.max(before?.requestPoints ?? 0, typeof requested === 'number' ? requested : 0)
  return { maximum, available, restorePerSecond, toldAtMs: now, requestPoints: Math.min(requestPoints, maximum) }
}

/** What is in it now: what was told, and what came back since. Others that use the same bucket show with the next answer. */
export function availableNow(bucket: Bucket, now: number): number {
  const restored = (Math.max(now - bucket.toldAtMs, 0) / 1000) * bucket.restorePerSecond
  return Math.min(bucket.available + restored, bucket.maximum)
}

/** Nothing counts as left when it does not pay for one request. */
export function budgetOf(bucket: Bucket | null, now: number): Budget | null {
  if (bucket === null) return null
  const available = availableNow(bucket, now)
  const missing = bucket.requestPoints - available
  return {
    left: missing > 0 ? 0 : available / bucket.maximum,
    moreInMs: missing > 0 ? Math.ceil((missing / bucket.restorePerSecond) * 1000) : 0,
    requestsMax: null,
  }
}

/** How long until a request that was throttled can be paid for. */
export function throttledForMs(answer: Json | undefined): number {
  const cost = at(answer, 'extensions', 'cost')
  const requested = at(cost, 'requestedQueryCost')
  const available = at(cost, 'throttleStatus', 'currentlyAvailable')
  const restorePerSecond = at(cost, 'throttleStatus', 'restoreRate')
  if (typeof requested !== 'number' || typeof available !== 'number' || typeof restorePerSecond !== 'number')
    return WAIT_MS_FALLBACK
  if (!(restorePerSecond > 0)) return WAIT_MS_FALLBACK
  return Math.min(Math.ceil((Math.max(requested - available, 0) / restorePerSecond) * 1000), WAIT_MS_MAX)
}

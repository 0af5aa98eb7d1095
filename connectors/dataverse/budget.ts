import type { IncomingHttpHeaders } from 'node:http'
import type { Budget } from '../destination.ts'
import { retryAfterMs } from '../http/client.ts'

/** "Service protection API limits", per user and web server: a sliding window, what it allows, and at once. */
const WINDOW_MS = 300_000
const REQUESTS = 6000
const EXECUTION_SECONDS = 1200
export const CONCURRENT_MAX = 52
const DEFAULT_AFTER_MS = 5_000

/** What Dataverse told last of its limits, and when (of a monotonic clock). */
export interface Told {
  readonly left: number
  readonly atMs: number
  /** It asked for rest until then. */
  readonly restUntilMs: number
}

/** What an answer tells, after what was told before. */
export function told(before: Told | null, status: number, headers: IncomingHttpHeaders, nowMs: number): Told | null {
  const restUntilMs = before?.restUntilMs ?? 0
  if (status === 429)
    return { left: 0, atMs: nowMs, restUntilMs: Math.max(restUntilMs, nowMs + retryAfterMs(headers, DEFAULT_AFTER_MS)) }
  const shares = [
    share(headers['x-ms-ratelimit-burst-remaining-xrm-requests'], REQUESTS),
    share(headers['x-ms-ratelimit-time-remaining-xrm-requests'], EXECUTION_SECONDS),
  ].filter((value) => value !== null)
  return shares.length === 0 ? before : { left: Math.min(...shares), atMs: nowMs, restUntilMs }
}

/** What is left now: what was told, and what has slid out of the window since. In whole requests: nothing stays nothing until one is back. */
export function budgetOf(last: Told | null, nowMs: number): Budget {
  if (last === null) return { left: 1, moreInMs: 0, requestsMax: CONCURRENT_MAX }
  if (nowMs < last.restUntilMs) return { left: 0, moreInMs: last.restUntilMs - nowMs, requestsMax: CONCURRENT_MAX }
  const sinceMs = nowMs - last.atMs
  const back = Math.floor((sinceMs * REQUESTS) / WINDOW_MS)
  const left = Math.min(1, last.left + back / REQUESTS)
  const moreInMs = left > 0 ? 0 : Math.ceil(((back + 1) * WINDOW_MS) / REQUESTS - sinceMs)
  return { left, moreInMs, requestsMax: CONCURRENT_MAX }
}

/** The time comes as `1,199.38`. */
function share(header: string | string[] | undefined, whole: number): number | null {
  const left = typeof header === 'string' ? Number(header.replaceAll(',', '')) : Number.NaN
  return Number.isFinite(left) ? Math.min(Math.max(left / whole, 0), 1) : null
}

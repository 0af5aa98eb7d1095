import type { IncomingHttpHeaders } from 'node:http'
import type { Budget } from '../destination.ts'
import { retryAfterMs } from '../http/client.ts'

const DEFAULT_AFTER_MS = 5_000

/** What a system that tells nothing of its budget leaves: all, or nothing until the time that its 429 gave. */
export function createRestBudget(requestsMax: number | null, now: () => number) {
  let untilMs = 0
  return {
    saw(status: number, headers: IncomingHttpHeaders): void {
      if (status === 429) untilMs = Math.max(untilMs, now() + retryAfterMs(headers, DEFAULT_AFTER_MS))
    },
    budget(): Budget {
      const moreInMs = Math.max(0, untilMs - now())
      return { left: moreInMs > 0 ? 0 : 1, moreInMs, requestsMax }
    },
  }
}

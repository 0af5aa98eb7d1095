import type { Budget } from '../destination.ts'

/** What Salesforce last told of the calls that are left. */
export interface ApiUsage {
  readonly used: number
  readonly max: number
  /** When it told, in milliseconds of any clock. */
  readonly atMs: number
}

const DAY_MS = 86_400_000

/**
 * Reads `Sforce-Limit-Info: api-usage=18/5000; per-app-api-usage=17/250(appName=…)` ("Limit Info Header"): the scarcest of what it tells.
 * @returns null when it tells nothing
 */
export function readLimitInfo(header: string | undefined, nowMs: number): ApiUsage | null {
  let scarcest: ApiUsage | null = null
  for (const [, used, max] of (header ?? '').matchAll(/(?:^|[;,\s])(?:per-app-)?api-usage=(\d{1,12})\/(\d{1,12})/g)) {
    const usage = { used: Number(used), max: Number(max), atMs: nowMs }
    if (usage.max > 0 && (scarcest === null || leftOf(usage) < leftOf(scarcest))) scarcest = usage
  }
  return scarcest
}

/**
 * Every call counts, for 24 hours: as many come back in a time as were used a day before, taken here to be spread evenly. Whole calls only: what
 * is used up stays so until one is back.
 */
export function budgetOf(usage: ApiUsage | null, nowMs: number): Budget | null {
  if (usage === null) return null
  const { used, max } = usage
  const sinceMs = Math.max(0, nowMs - usage.atMs)
  const back = Math.floor((sinceMs * max) / DAY_MS)
  const next = Math.max(back, used - max) + 1
  return {
    left: leftOf({ used: used - back, max }),
    moreInMs: Math.ceil((next * DAY_MS) / max - sinceMs),
    // It limits only calls that take over 20 s, and does not say how many there are.
    requestsMax: null,
  }
}

function leftOf({ used, max }: Pick<ApiUsage, 'used' | 'max'>): number {
  return Math.min(1, Math.max(0, (max - used) / max))
}

/** Counts per second over the last seconds, in a ring of fixed size. Times are milliseconds; memory does not grow. */
export class SecondCounts {
  readonly #counts: Float64Array
  readonly #seconds: Float64Array

  constructor(seconds: number) {
    this.#counts = new Float64Array(seconds + 1)
    this.#seconds = new Float64Array(seconds + 1).fill(-1)
  }

  add(count: number, nowMs: number): void {
    const second = Math.floor(nowMs / 1_000)
    const slot = second % this.#counts.length
    if (this.#seconds[slot] !== second) {
      this.#seconds[slot] = second
      this.#counts[slot] = 0
    }
    this.#counts[slot]! += count
  }

  /** The last whole seconds, oldest first; the running second is left out, as it would look like a drop. */
  history(seconds: number, nowMs: number): readonly number[] {
    const now = Math.floor(nowMs / 1_000)
    return Array.from({ length: Math.min(seconds, this.#counts.length - 1) }, (_, at) => {
      const second = now - seconds + at
      const slot = ((second % this.#counts.length) + this.#counts.length) % this.#counts.length
      return this.#seconds[slot] === second ? this.#counts[slot]! : 0
    })
  }

  /** The average a second over the last whole `seconds`, or over what there is since `startedAtMs`. */
  rate(seconds: number, startedAtMs: number, nowMs: number): number {
    const whole = Math.min(seconds, Math.floor(nowMs / 1_000) - Math.floor(startedAtMs / 1_000))
    if (whole <= 0) return 0
    return this.history(whole, nowMs).reduce((sum, count) => sum + count, 0) / whole
  }
}

const LATENCY_MIN_MS = 0.1
const LATENCY_STEP = 1.05
/** Buckets grow by 5 % each, from 0.1 ms to about 30 minutes; slower ones count as that. */
const BUCKETS = 340

export interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** Latencies of the last seconds in one histogram a second. A percentile is at most 5 % above the true one. */
export class LatencyWindow {
  readonly #slots: { second: number; counts: Uint32Array }[]

  constructor(seconds: number) {
    this.#slots = Array.from({ length: seconds }, () => ({ second: -1, counts: new Uint32Array(BUCKETS) }))
  }

  add(latencyMs: number, nowMs: number): void {
    const second = Math.floor(nowMs / 1_000)
    const slot = this.#slots[second % this.#slots.length]!
    if (slot.second !== second) {
      slot.second = second
      slot.counts.fill(0)
    }
    slot.counts[bucketOf(latencyMs)]!++
  }

  /** Null when nothing arrived in the window. */
  percentiles(nowMs: number): Percentiles | null {
    const oldest = Math.floor(nowMs / 1_000) - this.#slots.length + 1
    const total = new Float64Array(BUCKETS)
    let count = 0
    for (const slot of this.#slots) {
      if (slot.second < oldest) continue
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        total[bucket]! += slot.counts[bucket]!
        count += slot.counts[bucket]!
      }
    }
    if (count === 0) return null
    return {
      count,
      p50: quantile(total, count, 0.5),
      p95: quantile(total, count, 0.95),
      p99: quantile(total, count, 0.99),
    }
  }
}

function bucketOf(latencyMs: number): number {
  if (!(latencyMs > LATENCY_MIN_MS)) return 0
  return Math.min(BUCKETS - 1, Math.ceil(Math.log(latencyMs / LATENCY_MIN_MS) / Math.log(LATENCY_STEP) - 1e-9))
}

function quantile(counts: Float64Array, total: number, share: number): number {
  let left = Math.ceil(total * share)
  for (let bucket = 0; bucket < counts.length; bucket++) {
    left -= counts[bucket]!
    if (left <= 0) return LATENCY_MIN_MS * LATENCY_STEP ** bucket
  }
  return LATENCY_MIN_MS * LATENCY_STEP ** (BUCKETS - 1)
}

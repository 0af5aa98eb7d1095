import type postgres from 'postgres'

/** One change of the load, by the row it changes; milliseconds since 1970. */
export interface Sent {
  readonly number: number
  /** When it was due, whatever became of those before it. */
  readonly dueAtMs: number
  /** When its commit was confirmed. */
  readonly committedAtMs: number
}

export interface LoadOptions {
  readonly rate: number
  /** Infinity for as long as {@link signal} does not say otherwise. */
  readonly seconds: number
  readonly keys: number
  /** The number of its first change: one that was made before would change nothing. */
  readonly first: number
  readonly signal?: AbortSignal
}

/** More than a source of this size would ever have busy at once; beyond it the load itself would be late, which `due` shows. */
const CONNECTIONS = 8
const TICK_MS = 2

/**
 * Sends single-row transactions at a steady rate, each when it is due: a slow answer delays no later one while a connection is
 * free, and if none is, the wait counts, because latency is measured from when it was due.
 * @param onSent called for each change when its commit is confirmed
 */
export async function sendLoad(
  sql: postgres.Sql,
  { rate, seconds, keys, first, signal }: LoadOptions,
  onSent: (key: string, sent: Sent) => void,
): Promise<void> {
  const total = rate * seconds
  const sessions = await Promise.all(Array.from({ length: CONNECTIONS }, () => sql.reserve()))
  const startMs = now() + TICK_MS
  const dueAtMs = (number: number) => startMs + (number * 1000) / rate
  let next = 0
  const work = async (session: postgres.ReservedSql) => {
    while (next < total && !signal?.aborted) {
      const waitMs = dueAtMs(next) - now()
      if (waitMs > 0) {
        await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, TICK_MS)))
        continue
      }
      const number = next++
      // Each row once before any row twice, so that no two changes become one on the way.
      const key = keyOfChange(first + number, keys, first)
      await session`SELECT bench_change(${first + number}::bigint, ${key}::bigint)`
      onSent(String(key), { number: first + number, dueAtMs: dueAtMs(number), committedAtMs: now() })
    }
  }
  try {
    await Promise.all(sessions.map(work))
  } finally {
    for (const session of sessions) session.release()
  }
}

/** The row that a change of the load changes, by their numbers. */
export function keyOfChange(number: number, keys: number, first = 1): number {
  return 1 + (((number - first) * STRIDE) % keys)
}

/** A prime, so that neighbours in time are not neighbours in the table. */
const STRIDE = 7_919

/** Milliseconds since 1970 with the digits behind the point. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

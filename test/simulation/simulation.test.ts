import { afterEach, describe, expect, test, vi } from 'vitest'
import { runSchedule } from './schedule.ts'

/**
 * `SEED` and `SCHEDULES` in the environment choose the first seed and how many schedules there are in all; `TRAIL=1` prints what happened
 * in one that goes wrong.
 */
const SEED = Number(process.env.SEED ?? Math.floor(Date.now() / 1000) % 1_000_000)
const SCHEDULES = Number(process.env.SCHEDULES ?? 10_000)

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const KINDS = ['versions', 'tags', 'nothing'] as const

describe.each(KINDS)('from a source to a destination that compares %s', (compares) => {
  const count = Math.ceil(SCHEDULES / KINDS.length)

  test(`every guarantee holds after any schedule (SEED=${SEED} SCHEDULES=${SCHEDULES})`, {
    timeout: 60_000 + 100 * SCHEDULES,
  }, async () => {
    for (let seed = SEED; seed < SEED + count; seed++)
      expect(await runSchedule({ seed, compares }), `SEED=${seed} SCHEDULES=1`).toEqual([])
  })
})

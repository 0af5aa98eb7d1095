import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DIRECTED } from './simulation/directed.ts'
import type { Flaws } from './simulation/flaws.ts'
import { inWorld, runSchedule } from './simulation/run.ts'
import type { Compares } from './simulation/subscriber.ts'

/**
 * `SEED` and `SCHEDULES` in the environment choose the first seed and how many schedules each kind of destination gets; `TRAIL=1` prints
 * what happened to a key that differs.
 */
const SEED = Number(process.env.SEED ?? Math.floor(Date.now() / 1000) % 1_000_000)
const SCHEDULES = Number(process.env.SCHEDULES ?? 1_000)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'Date', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const KINDS = [
  ['compares versions', 'versions'],
  ['compares tags', 'tags'],
  ['compares nothing', 'nothing'],
] as const

describe.each(KINDS)('a destination that %s', (_kind, compares) => {
  test(`is like the source after any schedule and quiet (SEED=${SEED} SCHEDULES=${SCHEDULES})`, {
    timeout: 60_000 + 100 * SCHEDULES,
  }, async () => {
    for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
      const differences = await runSchedule({ seed, compares })
      expect(differences, `SEED=${seed} SCHEDULES=1`).toEqual([])
    }
  })
})

const CAUGHT_WITHIN = 3_000
const FLAWS: readonly [string, Flaws, Compares][] = [
  ['the ledger is written before applying', { recordsFirst: true }, 'versions'],
  ['a partial patch creates', { partialCreates: true }, 'versions'],
  ['a full patch is never repeated', { neverHolds: true }, 'nothing'],
]

test.each(FLAWS)('random schedules show that %s', { timeout: 120_000 }, async (_flaw, flaws, compares) => {
  for (let seed = 1; seed <= CAUGHT_WITHIN; seed++)
    if ((await runSchedule({ seed, compares, flaws })).length > 0) return
  expect.fail(`none of ${CAUGHT_WITHIN} schedules showed it`)
})

describe.each(DIRECTED)('$title', ({ flaws, compares, happen }) => {
  test('is healed', async () => {
    expect(await inWorld({ seed: 1, compares }, happen)).toEqual([])
  })

  test('would show', async () => {
    expect(await inWorld({ seed: 1, compares, flaws }, happen)).not.toEqual([])
  })
})

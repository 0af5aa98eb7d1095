import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../connectors/destination.ts'
import {
  type Circumstances,
  CONSEQUENCES,
  isAttempt,
  nextTryAt,
  RETRY,
  TROUBLE_MS_MAX,
  waitMs,
} from '../../consumers/outcomes.ts'

type Kind = Outcome['kind']
const KINDS = Object.keys(CONSEQUENCES) as Kind[]
const FRESH: Circumstances = { rounds: 0, attempts: 0, othersPass: false, parentIsBehind: false }

describe('the table of outcomes', () => {
  test('says for each what follows, what counts and what it tells of the destination', () => {
    expect(CONSEQUENCES).toEqual({
      applied: { next: 'settle', counts: 'nothing', health: 'works' },
      unchanged: { next: 'settle', counts: 'nothing', health: 'works' },
      newer: { next: 'overtaken', counts: 'nothing', health: 'works' },
      absent: { next: 'again-full', counts: 'attempt', health: 'works' },
      conflict: { next: 'again-full', counts: 'attempt', health: 'works' },
      blocked: { next: 'again-later', counts: 'when-free', health: 'works' },
      throttled: { next: 'again-later', counts: 'nothing', health: 'wants-rest' },
      unavailable: { next: 'again-later', counts: 'when-others-pass', health: 'fails' },
      unknown: { next: 'again-uncertain', counts: 'when-others-pass', health: 'fails' },
      rejected: { next: 'dead-letter', counts: 'nothing', health: 'works' },
    })
  })

  test('an outage is never an attempt, however often; a record that fails while others pass is', () => {
    for (const kind of ['unavailable', 'unknown', 'throttled'] as const)
      for (const rounds of [0, 1, 100]) expect(isAttempt(kind, { ...FRESH, rounds })).toBe(false)
    for (const kind of ['unavailable', 'unknown'] as const)
      expect(isAttempt(kind, { ...FRESH, othersPass: true })).toBe(true)
    expect(isAttempt('throttled', { ...FRESH, othersPass: true })).toBe(false)
  })

  test('what waits for something that is behind only takes time', () => {
    expect(isAttempt('blocked', { ...FRESH, rounds: 100, parentIsBehind: true })).toBe(false)
    expect(isAttempt('blocked', FRESH)).toBe(true)
  })

  test('absent and conflict are answered at once with the full patch, and count when that does not end', () => {
    for (const kind of ['absent', 'conflict'] as const) {
      expect([isAttempt(kind, FRESH), waitMs(kind, FRESH, RETRY, 1)]).toEqual([false, 0])
      expect(isAttempt(kind, { ...FRESH, rounds: 3 })).toBe(true)
    }
  })
})

describe('waiting', () => {
  test('a key that fails alone waits 1, 2, 4, 8 and 16 s, with jitter below', () => {
    const waits = (jitter: number) =>
      [0, 1, 2, 3, 4].map((attempts) => waitMs('conflict', { ...FRESH, rounds: 9, attempts }, RETRY, jitter))
    expect(waits(1)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000])
    expect(waits(0)).toEqual([500, 1_000, 2_000, 4_000, 8_000])
  })

  test('is bounded for every outcome in all circumstances', () => {
    const circumstances = fc.record({
      rounds: fc.nat(),
      attempts: fc.nat(99),
      othersPass: fc.boolean(),
      parentIsBehind: fc.boolean(),
    })
    fc.assert(
      fc.property(
        fc.constantFrom(...KINDS),
        circumstances,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (kind, of, jitter) => {
          const wait = waitMs(kind, of, RETRY, jitter)
          expect(wait).toBeGreaterThanOrEqual(0)
          expect(wait).toBeLessThanOrEqual(isAttempt(kind, of) ? 600_000 : TROUBLE_MS_MAX)
        },
      ),
    )
  })
})

describe('a record that was given up', () => {
  test('is tried again at growing intervals until its first failure is too long ago, then never', () => {
    const waits = [6, 7, 8, 9, 12].map((attempts) => nextTryAt(1_000, attempts, RETRY, 2_000, 1)! - 2_000)
    expect(waits).toEqual([60_000, 120_000, 240_000, 480_000, 900_000])
    expect(nextTryAt(1_000, 6, RETRY, 1_000 + RETRY.deadAfterMs, 0)).toBeNull()
  })
})

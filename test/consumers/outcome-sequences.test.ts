import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../connectors/destination.ts'
import {
  CONSEQUENCES,
  isAttempt,
  nextTryAt,
  type RetryPolicy,
  TROUBLE_MS_MAX,
  waitMs,
} from '../../consumers/outcomes.ts'

type Kind = Outcome['kind']

const KINDS = Object.keys(CONSEQUENCES) as Kind[]
const AGAIN = KINDS.filter((kind) => CONSEQUENCES[kind].next.startsWith('again'))
const policies: fc.Arbitrary<RetryPolicy> = fc.record({
  attemptsMax: fc.integer({ min: 1, max: 20 }),
  firstMs: fc.integer({ min: 1, max: 60_000 }),
  deadAfterMs: fc.integer({ min: 0, max: 7 * 86_400_000 }),
})
const jitters = fc.double({ min: 0, max: 1, noNaN: true })
const rounds = (kinds: readonly Kind[]) =>
  fc.array(
    fc.record({
      kind: fc.constantFrom(...kinds),
      othersPass: fc.boolean(),
      parentIsBehind: fc.boolean(),
      jitter: jitters,
    }),
    { maxLength: 200 },
  )

describe('a record that fails round after round', () => {
  test('has what is its own fault counted, and nothing else', () => {
    fc.assert(
      fc.property(rounds(AGAIN), (outcomes) => {
        let attempts = 0
        for (const [round, { kind, othersPass, parentIsBehind }] of outcomes.entries()) {
          const counts = isAttempt(kind, { rounds: round, attempts, othersPass, parentIsBehind })
          // Told apart from the table: who is at fault, in words.
          const destinationIsDown = (kind === 'unavailable' || kind === 'unknown') && !othersPass
          const waitsForAnother = kind === 'blocked' && parentIsBehind
          const isUsual = (kind === 'absent' || kind === 'conflict') && round < 3
          expect(counts).toBe(!destinationIsDown && !waitsForAnother && !isUsual && kind !== 'throttled')
          if (counts) attempts++
        }
      }),
    )
  })

  test('never counts in an outage, however long and in whatever order its answers come', () => {
    const outage = rounds(['unavailable', 'unknown', 'throttled'])
    fc.assert(
      fc.property(outage, (outcomes) => {
        for (const [round, { kind, parentIsBehind }] of outcomes.entries())
          expect(isAttempt(kind, { rounds: round, attempts: 0, othersPass: false, parentIsBehind })).toBe(false)
      }),
    )
  })
})

describe('what follows an outcome', () => {
  const circumstances = fc.record({
    rounds: fc.nat(),
    attempts: fc.nat(99),
    othersPass: fc.boolean(),
    parentIsBehind: fc.boolean(),
  })

  test('is something for each, and a wait that is a number of bounded size under any policy', () => {
    fc.assert(
      fc.property(fc.constantFrom(...KINDS), circumstances, policies, jitters, (kind, of, policy, jitter) => {
        const wait = waitMs(kind, of, policy, jitter)
        expect(wait).toBeGreaterThanOrEqual(0)
        expect(wait).toBeLessThanOrEqual(isAttempt(kind, of) ? 600_000 : TROUBLE_MS_MAX)
      }),
      { numRuns: 1_000 },
    )
  })

  test('waits no shorter for having failed more often', () => {
    fc.assert(
      fc.property(fc.constantFrom(...AGAIN), circumstances, policies, jitters, (kind, of, policy, jitter) => {
        const more = { ...of, rounds: of.rounds + 1, attempts: Math.min(of.attempts + 1, 99) }
        if (isAttempt(kind, of) === isAttempt(kind, more))
          expect(waitMs(kind, more, policy, jitter)).toBeGreaterThanOrEqual(waitMs(kind, of, policy, jitter))
      }),
      { numRuns: 1_000 },
    )
  })

  test('a dead letter that is tried on comes later than now and within a bound, and ends with its age', () => {
    const past = fc.nat({ max: 14 * 86_400_000 })
    fc.assert(
      fc.property(policies, past, fc.nat(99), jitters, (policy, ageMs, attempts, jitter) => {
        const now = 1_700_000_000_000
        const next = nextTryAt(now - ageMs, attempts, policy, now, jitter)
        expect(next === null).toBe(ageMs >= policy.deadAfterMs)
        if (next === null) return
        expect(next).toBeGreaterThanOrEqual(now)
        expect(next - now).toBeLessThanOrEqual(900_000)
      }),
      { numRuns: 1_000 },
    )
  })

  test('a dead letter that is tried on is dead in the end, whatever the chances', () => {
    fc.assert(
      fc.property(policies, fc.infiniteStream(jitters), (policy, chances) => {
        let now = 1_700_000_000_000
        const first = now
        for (let attempts = policy.attemptsMax + 1, tries = 0; ; attempts++, tries++) {
          expect(tries).toBeLessThan(3_000)
          const next = nextTryAt(first, attempts, policy, now, chances.next().value as number)
          if (next === null) return
          // At the earliest a moment later: else it would never end.
          now = Math.max(next, now + 1)
        }
      }),
    )
  })
})

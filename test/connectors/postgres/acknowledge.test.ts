import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cover, keepAlive, open, settle, startSettlement } from '../../../connectors/postgres/slot/acknowledge.ts'

test('only what the pipeline settled is acknowledged', () => {
  let now = cover(open(startSettlement(10n)), 20n)
  expect(now.settled).toBe(10n)
  now = settle(now, 20n)
  expect(now.settled).toBe(20n)
  expect(settle(now, 15n).settled).toBe(20n)
})

test('a position that was never handed out settles nothing', () => {
  expect(settle(cover(startSettlement(10n), 20n), 30n).settled).toBe(10n)
})

test('a keep-alive counts at once when nothing is outstanding', () => {
  expect(keepAlive(startSettlement(10n), 50n).settled).toBe(50n)
  expect(keepAlive(settle(cover(startSettlement(10n), 20n), 20n), 50n).settled).toBe(50n)
})

test('a keep-alive waits for the progress handed out before it', () => {
  const now = keepAlive(cover(open(startSettlement(10n)), 20n), 50n)
  expect(now.settled).toBe(10n)
  expect(settle(now, 20n).settled).toBe(50n)
})

test('a keep-alive that waits is not stopped by what was handed out after it, nor does it cover that', () => {
  const now = cover(open(keepAlive(cover(open(startSettlement(10n)), 20n), 50n)), 60n)
  expect(settle(now, 20n).settled).toBe(50n)
  expect(settle(now, 60n).settled).toBe(60n)
})

test('a keep-alive inside a transaction or a snapshot counts for nothing', () => {
  expect(keepAlive(open(startSettlement(10n)), 50n)).toEqual(open(startSettlement(10n)))
})

test('whatever happens, nothing unsettled lies below what is acknowledged, and it never goes back', () => {
  // A commit at c ends at c + 1; it is durable once a position from its end on was settled.
  const step = fc.oneof(
    fc.constant('commit' as const),
    fc.constant('keepAlive' as const),
    fc.constant('settle' as const),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.nat(3))), (steps) => {
      let now = startSettlement(0n)
      let end = 0n
      let before = 0n
      const outstanding: bigint[] = []
      for (const [kind, pick] of steps) {
        end += 10n
        if (kind === 'commit') {
          now = cover(open(now), end)
          outstanding.push(end)
        } else if (kind === 'keepAlive') now = keepAlive(now, end)
        else if (outstanding.length > 0) {
          const upTo = Math.min(pick, outstanding.length - 1)
          now = settle(now, outstanding[upTo]!)
          outstanding.splice(0, upTo + 1)
        }
        expect(now.settled).toBeGreaterThanOrEqual(before)
        before = now.settled
        if (outstanding.length > 0) expect(now.settled).toBeLessThan(outstanding[0]!)
      }
    }),
  )
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { OffsetTracker } from '../../../consumers/lanes/offsets.ts'

test('nothing may be committed before something has finished', () => {
  const tracker = new OffsetTracker()
  tracker.add(5n)
  expect(tracker.committable).toBeNull()
})

test('a gap that compaction left is passed together with the record before it', () => {
  const tracker = new OffsetTracker()
  const first = tracker.add(5n)
  const second = tracker.add(900n)
  tracker.finish(first)
  expect(tracker.committable).toBe(6n)
  tracker.finish(second)
  expect(tracker.committable).toBe(901n)
})

test('the offset to commit never passes an unfinished record and never waits without one, whatever finishes when', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 12_000 }), (choices) => {
      const tracker = new OffsetTracker()
      const open = new Map<number, bigint>()
      let next = 0n
      for (const choice of choices) {
        if (choice < 22 || open.size === 0) {
          next += BigInt(1 + (choice % 3))
          open.set(tracker.add(next), next)
        } else {
          const tickets = [...open.keys()]
          const ticket = tickets[choice % tickets.length]!
          open.delete(ticket)
          tracker.finish(ticket)
        }
        const lowest = open.size === 0 ? null : [...open.values()].reduce((a, b) => (a < b ? a : b))
        expect(tracker.lowest).toBe(lowest)
        const committable = tracker.committable
        if (lowest !== null && committable !== null) expect(committable).toBeLessThanOrEqual(lowest)
        if (lowest === null) expect(committable).toBe(next + 1n)
      }
    }),
    { numRuns: 30, examples: [[Array.from({ length: 11_000 }, (_, index) => (index % 2 === 0 ? 1 : 30))]] },
  )
})

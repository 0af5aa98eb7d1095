import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  BatchRefused,
  type Destination,
  type EntityMapping,
  type Outcome,
  type Patch,
} from '../../connectors/destination.ts'
import { apply } from '../../consumers/apply.ts'
import { NEXT, PAUSE_MS_MAX, pauseMs, THROTTLE_MS_MAX } from '../../consumers/outcomes.ts'

const mapping = {} as EntityMapping
const signal = new AbortController().signal

function patch(key: string): Patch {
  return { kind: 'delete', key, version: { epoch: 1n, position: 1n, ordinal: 0 }, tag: null }
}

/** Refuses every batch that holds one of the culprits, as a database does. */
function strict(culprits: ReadonlySet<string>, batchMax = 1000) {
  const applied: string[] = []
  let requests = 0
  const destination = {
    batchMax,
    async apply(_mapping: EntityMapping, patches: readonly Patch[]): Promise<readonly Outcome[]> {
      requests++
      expect(patches.length).toBeLessThanOrEqual(batchMax)
      if (patches.some(({ key }) => culprits.has(key))) throw new BatchRefused('23514', 'a check failed')
      applied.push(...patches.map(({ key }) => key))
      return patches.map(() => ({ kind: 'applied' }))
    },
  } as unknown as Destination
  return { destination, applied, requests: () => requests }
}

describe('a refused batch', () => {
  test('is split until the culprits stand alone, and everyone else is applied once, in place', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.nat({ max: 39 }), { maxLength: 4 }),
        fc.integer({ min: 1, max: 50 }),
        async (count, bad, batchMax) => {
          const culprits = new Set(bad.map(String))
          const { destination, applied } = strict(culprits, batchMax)
          const patches = Array.from({ length: count }, (_, index) => patch(String(index)))
          const outcomes = await apply(destination, mapping, patches, signal)
          const kinds = outcomes.map(({ kind }) => kind)
          expect(kinds).toEqual(patches.map(({ key }) => (culprits.has(key) ? 'rejected' : 'applied')))
          expect(applied).toEqual(patches.map(({ key }) => key).filter((key) => !culprits.has(key)))
        },
      ),
    )
  })

  test('with one culprit in a thousand costs about twice the logarithm in requests', async () => {
    const { destination, requests } = strict(new Set(['637']))
    await apply(
      destination,
      mapping,
      Array.from({ length: 1000 }, (_, index) => patch(String(index))),
      signal,
    )
    expect(requests()).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(1000)) + 1)
  })

  test('is told from a defect, which is not split', async () => {
    const broken = { batchMax: 10, apply: () => Promise.reject(new TypeError('x')) } as unknown as Destination
    await expect(apply(broken, mapping, [patch('a'), patch('b')], signal)).rejects.toThrowError(TypeError)
  })
})

describe('what follows an outcome', () => {
  const error = new Error('away')
  const outcomes: Record<Outcome['kind'], Outcome> = {
    applied: { kind: 'applied' },
    unchanged: { kind: 'unchanged' },
    newer: { kind: 'newer' },
    absent: { kind: 'absent' },
    conflict: { kind: 'conflict' },
    blocked: { kind: 'blocked', by: 'customers', code: '23503', reason: 'a parent is missing' },
    throttled: { kind: 'throttled', afterMs: 5_000 },
    unavailable: { kind: 'unavailable', error },
    unknown: { kind: 'unknown', error },
    rejected: { kind: 'rejected', code: '22003', reason: 'out of range' },
  }

  test('an outage never ends in a dead letter, a rejection always does, and doubt is never taken for success', () => {
    expect(NEXT.unavailable).toBe('again-later')
    expect(NEXT.throttled).toBe('again-later')
    expect(NEXT.unknown).toBe('again-uncertain')
    expect(NEXT.rejected).toBe('dead-letter')
    expect(NEXT.newer).toBe('overtaken')
    expect(NEXT.absent).toBe('again-full')
  })

  test.each(Object.keys(outcomes) as Outcome['kind'][])('%s waits within the bounds, in every round', (kind) => {
    for (const round of [1, 2, 5, 50, 5_000]) {
      const waits = pauseMs([outcomes[kind]], round, 1)
      expect(waits).toBeGreaterThanOrEqual(0)
      expect(waits).toBeLessThanOrEqual(Math.max(PAUSE_MS_MAX, 5_000))
    }
  })

  test('what contradicts itself for ever is not asked without a pause', () => {
    expect(pauseMs([outcomes.absent], 1, 0)).toBe(0)
    expect(pauseMs([outcomes.absent], 10, 0)).toBeGreaterThan(0)
  })

  test('a destination is not asked again before the time it named, and not later than the bound', () => {
    expect(pauseMs([outcomes.throttled, outcomes.applied], 1, 0)).toBeGreaterThanOrEqual(5_000)
    expect(pauseMs([{ kind: 'throttled', afterMs: Number.MAX_SAFE_INTEGER }], 1, 1)).toBe(THROTTLE_MS_MAX)
  })
})

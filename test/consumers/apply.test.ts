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

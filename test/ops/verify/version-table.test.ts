import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hashKey, type KeyHash } from '../../../connectors/kafka/keys/key-hash.ts'
import { VersionTable } from '../../../ops/verify/version-table.ts'
import { compareVersions, type Version } from '../../../schemas/version.ts'
import { at } from '../../support/topics/topic-records.ts'

const hash = (key: string, partition = 0): KeyHash => hashKey(Buffer.from(key), partition, { slice: 0, rest: 0 })

test('the last record of a key decides: newer and equal are fine, older is stale, and a newer one heals', () => {
  const table = new VersionTable(10)
  const staleAfter = (version: Version | undefined, deleted = false) => {
    table.note(hash('a'), version, deleted)
    return table.counts()
  }
  expect(staleAfter(at(5))).toEqual({ keys: 1, live: 1, stale: 0 })
  expect(staleAfter(at(5))).toEqual({ keys: 1, live: 1, stale: 0 })
  expect(staleAfter(at(4), true)).toEqual({ keys: 1, live: 0, stale: 1 })
  expect([...table.stale()]).toEqual([hash('a')])
  expect(staleAfter({ ...at(5), ordinal: -1 })).toEqual({ keys: 1, live: 1, stale: 1 })
  expect(staleAfter(at(5))).toEqual({ keys: 1, live: 1, stale: 0 })
  expect(staleAfter({ ...at(1), epoch: 2n }, true)).toEqual({ keys: 1, live: 0, stale: 0 })
  expect(staleAfter(undefined)).toEqual({ keys: 1, live: 1, stale: 0 })
})

test('a full table takes no new key, and still all of those that it has', () => {
  const table = new VersionTable(2)
  expect([hash('a'), hash('b'), hash('c'), hash('a')].map((key) => table.note(key, at(1), false))).toEqual([
    true,
    true,
    false,
    true,
  ])
  table.clear()
  expect(table.counts()).toEqual({ keys: 0, live: 0, stale: 0 })
  expect(table.note(hash('c'), at(1), false)).toBe(true)
})

/** Few slices and fewer slots, so that keys lie side by side, and over the end. */
const notes = fc.array(
  fc.record({
    slice: fc.integer({ min: 0, max: 7 }),
    rest: fc.integer({ min: 0, max: 40 }),
    position: fc.integer({ min: 0, max: 3 }),
    deleted: fc.boolean(),
    drop: fc.option(fc.integer({ min: 1, max: 8 }), { freq: 12 }),
  }),
  { maxLength: 80 },
)

test('it says the same as a map of objects, whatever is dropped in between', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 24 }), notes, (keysMax, list) => {
      const table = new VersionTable(keysMax)
      const model = new Map<string, { slice: number; newest: Version; stale: boolean; deleted: boolean }>()
      for (const { slice, rest, position, deleted, drop } of list) {
        const version = at(position)
        const name = `${slice}/${rest}`
        const known = model.get(name)
        const taken = table.note({ slice, rest }, version, deleted)
        expect(taken).toBe(known !== undefined || model.size < keysMax)
        if (taken) {
          const order = known ? compareVersions(version, known.newest) : 1
          model.set(name, { slice, newest: order > 0 ? version : known!.newest, stale: order < 0, deleted })
        }
        if (drop === null) continue
        table.drop(drop)
        for (const [key, entry] of model) if (entry.slice >= drop) model.delete(key)
      }
      const entries = [...model.entries()]
      const stale = entries.filter(([, entry]) => entry.stale)
      const live = entries.filter(([, entry]) => !entry.deleted)
      expect(table.counts()).toEqual({ keys: model.size, live: live.length, stale: stale.length })
      const found = [...table.stale()].map(({ slice, rest }) => `${slice}/${rest}`)
      expect(found.sort()).toEqual(stale.map(([name]) => name).sort())
    }),
    { numRuns: 500 },
  )
})

test('no two of many similar keys share a hash, and both halves spread evenly', () => {
  const seen = new Set<bigint>()
  const buckets = [new Array<number>(64).fill(0), new Array<number>(64).fill(0)]
  const count = 200_000
  for (let number = 0; number < count; number++) {
    const { slice, rest } = hash(`CUST-${number % 50_000}`, Math.floor(number / 50_000))
    seen.add((BigInt(slice) << 32n) | BigInt(rest))
    buckets[0]![slice >>> 26]!++
    buckets[1]![rest % 64]!++
  }
  expect(seen.size).toBe(count)
  for (const bucket of buckets.flat()) expect(Math.abs(bucket - count / 64)).toBeLessThan(count / 64 / 5)
  expect(hash('a')).not.toEqual(hash('a\0'))
  expect(hash('')).not.toEqual(hash('\0'))
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decideSweep, type SweepDecision, sweepVersion } from '../../../consumers/sweep/decision.ts'
import { compareVersions, type Version } from '../../../schemas/version.ts'
import { versionAt } from '../fixtures.ts'

describe('whether deletes may have been missed', () => {
  const SWEEP_LEDGER: SweepDecision = { kind: 'sweep', by: 'ledger' }
  test.each<[string, number | null, boolean, boolean, SweepDecision]>([
    ['seen just now', 0, true, true, { kind: 'seen' }],
    ['seen 90 % of the retention ago', 900, true, true, { kind: 'seen' }],
    ['seen longer ago', 901, true, true, SWEEP_LEDGER],
    ['seen longer ago, by a group that has lost its offsets', 901, false, false, SWEEP_LEDGER],
    ['never seen by a subscriber that is new', null, false, true, { kind: 'new' }],
    ['a ledger that is lost, and keys that can be listed', null, true, true, { kind: 'sweep', by: 'destination' }],
    ['a ledger that is lost, and keys that cannot be listed', null, true, false, { kind: 'unknown' }],
  ])('%s', (_, seenAgoMs, wasDelivered, listsKeys, wanted) => {
    expect(decideSweep({ seenAgoMs, deleteRetentionMs: 1_000, wasDelivered, listsKeys })).toEqual(wanted)
  })
})

describe('the version of a swept delete', () => {
  const none = { applied: null, last: null, newest: null }
  test.each<[string, Partial<Record<'applied' | 'last' | 'newest', Version>>, Version | null]>([
    [
      'is the next ordinal where the delete is gone',
      { applied: versionAt(5, 3), newest: versionAt(9) },
      versionAt(5, 4),
    ],
    ['is that of the delete that is still there', { applied: versionAt(5), last: versionAt(7) }, versionAt(7)],
    ['is none where the ledger is ahead of the topic', { applied: versionAt(8), last: versionAt(7) }, null],
    ['is that of the delete where the ledger has nothing', { last: versionAt(7), newest: versionAt(9) }, versionAt(7)],
    ['is the newest of the partition for what only the destination has', { newest: versionAt(9, 2) }, versionAt(9, 2)],
    ['lies before a snapshot whose rows may be under way', { newest: versionAt(9, -1) }, versionAt(8, 2 ** 31 - 1)],
    ['is none where nothing is known', {}, null],
  ])('%s', (_, known, wanted) => {
    expect(sweepVersion({ ...none, ...known })).toEqual(wanted)
  })

  test('lies between what was applied and whatever may make the key anew, for every history', () => {
    const version = fc.record({
      epoch: fc.bigInt(1n, 3n),
      position: fc.bigInt(0n, 3n),
      ordinal: fc.integer({ min: -1, max: 3 }),
    })
    fc.assert(
      // What was applied, the true delete, and the key made anew.
      fc.property(fc.uniqueArray(version, { minLength: 3, maxLength: 3 }), fc.boolean(), (some, isGone) => {
        const [applied, deleted, anew] = some.sort(compareVersions) as [Version, Version, Version]
        const distinct = compareVersions(applied, deleted) < 0 && compareVersions(deleted, anew) < 0
        fc.pre(distinct)
        const swept = sweepVersion({ applied, last: isGone ? null : deleted, newest: null })!
        expect(compareVersions(swept, applied)).toBeGreaterThan(0)
        expect(compareVersions(swept, anew)).toBeLessThan(0)
      }),
    )
  })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packApplied, parseAnswer, unpackLastPatch } from '../../../consumers/ledger/entry.ts'

const ANSWER = `glc${'0'.repeat(15)}`
const PRINTS = new Map([['abcde', 'fghijklmnop']])

test('fingerprints, tag and last patch come back as they were, whatever the tag', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), fc.nat(2_000_000_000), fc.nat(999_999), (tag, seconds, fields) => {
      const packed = packApplied(PRINTS, tag, { atMs: seconds * 1000 + 123, fields })
      expect(parseAnswer(ANSWER + packed)).toMatchObject({ fingerprints: PRINTS, tag: tag === '' ? null : tag })
      expect(unpackLastPatch(packed)).toEqual({ atMs: seconds * 1000, fields })
    }),
  )
})

test('an entry that was written before it said when is read as before', () => {
  for (const [packed, tag] of [
    ['abcdefghijklmnop', null],
    ['abcdefghijklmnop|W/"5@x"', 'W/"5@x"'],
  ] as const) {
    expect(parseAnswer(ANSWER + packed)).toMatchObject({ fingerprints: PRINTS, tag })
    expect(unpackLastPatch(packed)).toBeNull()
  }
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFingerprinter } from '../../consumers/fingerprint.ts'
import { MAPPING } from './fixtures.ts'

const SECRET = 'a secret of at least thirty-two characters'
const fresh = () => createFingerprinter(SECRET, MAPPING.fields)

test('a fingerprint does not depend on what was fingerprinted before', () => {
  const names = MAPPING.fields.slice(0, 2).map(({ to }) => to)
  const value = fc.constantFrom(null, '', 'a', 'b', 1n, true, 'long'.repeat(20), 'long'.repeat(21))
  const call = fc.record({ field: fc.constantFrom(...names), value, claimed: fc.boolean() })
  fc.assert(
    fc.property(fc.array(call, { minLength: 2, maxLength: 30 }), (calls) => {
      const used = fresh()
      for (const { field, value: one, claimed } of calls) {
        const print = (by: ReturnType<typeof fresh>) =>
          claimed ? by.claimFingerprint(field, String(one)) : by.fingerprint(field, one)
        expect(print(used)).toBe(print(fresh()))
      }
    }),
  )
})

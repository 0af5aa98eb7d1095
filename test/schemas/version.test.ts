import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compareVersions,
  formatVersion,
  parseVersion,
  type Version,
  versionBytes,
  versionFromBytes,
} from '../../schemas/version.ts'
import { versions } from './sample.ts'

/** Near one another as often as far apart: what differs only in its last part is what goes wrong. */
const near: fc.Arbitrary<Version> = fc.record(
  {
    epoch: fc.bigInt({ min: 1n, max: 2n }),
    position: fc.oneof(fc.bigInt({ min: 0n, max: 3n }), fc.bigInt({ min: 2n ** 53n - 1n, max: 2n ** 53n + 1n })),
    ordinal: fc.integer({ min: -1, max: 1 }),
  },
  { noNullPrototype: true },
)
const any = fc.oneof(near, versions)
const sign = (order: number) => Math.sign(order)

describe('the order of versions', () => {
  test('is total: of two, one is older or they are the same', () => {
    fc.assert(
      fc.property(any, any, (a, b) => {
        expect(sign(compareVersions(a, b))).toBe(-sign(compareVersions(b, a)) + 0)
        expect(compareVersions(a, b) === 0).toBe(formatVersion(a) === formatVersion(b))
        expect(compareVersions(a, { ...a })).toBe(0)
      }),
      { numRuns: 1_000 },
    )
  })

  test('is transitive', () => {
    fc.assert(
      fc.property(any, any, any, (a, b, c) => {
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0)
          expect(compareVersions(a, c)).toBeLessThanOrEqual(0)
      }),
      { numRuns: 2_000 },
    )
  })

  test('is that of their bytes, and of these as hexadecimal digits', () => {
    fc.assert(
      fc.property(any, any, (a, b) => {
        const [one, other] = [versionBytes(a), versionBytes(b)]
        expect(sign(Buffer.compare(one, other))).toBe(sign(compareVersions(a, b)))
        const [oneText, otherText] = [one.toString('hex'), other.toString('hex')]
        expect(oneText < otherText).toBe(compareVersions(a, b) < 0)
      }),
      { numRuns: 1_000 },
    )
  })

  test('gives one sequence, however the versions came', () => {
    const shuffled = fc
      .array(any, { minLength: 2, maxLength: 20 })
      .chain((some) => fc.tuple(fc.constant(some), fc.shuffledSubarray(some, { minLength: some.length })))
    fc.assert(
      fc.property(shuffled, ([some, others]) => {
        const sorted = (of: readonly Version[]) => of.toSorted(compareVersions).map(formatVersion)
        expect(sorted(others)).toEqual(sorted(some))
      }),
    )
  })
})

describe('a version', () => {
  test('comes back from its bytes and from its text', () => {
    fc.assert(
      fc.property(any, (version) => {
        expect(versionFromBytes(versionBytes(version))).toStrictEqual(version)
        expect(parseVersion(formatVersion(version))).toStrictEqual(version)
      }),
    )
  })

  test('is no other text', () => {
    const digits = fc.string({ unit: fc.constantFrom('0', '1', '9', '-', '/', ' ', '.'), maxLength: 24 })
    fc.assert(
      fc.property(fc.oneof(digits, fc.string()), (text) => {
        const version = parseVersion(text)
        if (version !== undefined) expect(parseVersion(formatVersion(version))).toStrictEqual(version)
        else expect(/^[1-9]\d{0,17}\/[1-9]\d{0,17}\/[1-9]\d{0,8}$/.test(text)).toBe(false)
      }),
      { numRuns: 2_000 },
    )
  })
})

import { expect, test } from 'vitest'
import { parseTarget, planRewind } from '../../../ops/rewind/plan.ts'

const row = (partition: number, low: bigint, committed: bigint | null) => ({
  topic: 't',
  partition,
  low,
  high: 100n,
  committed,
})
const at = (...offsets: readonly (readonly [number, bigint])[]) => new Map([['t', new Map(offsets)]])

test('offsets go back and never forward, and not before the first record', () => {
  const rows = [row(0, 10n, 50n), row(1, 0n, null), row(2, 0n, 0n), row(3, 20n, 60n)]
  const moved = (offsets: Parameters<typeof planRewind>[1]) =>
    planRewind(rows, offsets).map(({ partition, from, to }) => [partition, from, to])
  expect(moved(null)).toEqual([
    [0, 50n, 10n],
    [3, 60n, 20n],
  ])
  expect(moved(at([0, 40n], [1, 5n], [2, 90n], [3, 90n]))).toEqual([[0, 50n, 40n]])
  expect(moved(at([3, 5n]))).toEqual([[3, 60n, 20n]])
})

test.each([
  ['beginning', 'beginning'],
  ['2026-05-04T13:00:00Z', new Date('2026-05-04T13:00:00Z')],
  ['2026-05-04T13:00+02:00', new Date('2026-05-04T11:00:00Z')],
  ['2026-05-04', new Date('2026-05-04T00:00:00Z')],
  ['2026-05-04T13:00', undefined],
  ['yesterday', undefined],
  ['2026-13-45', undefined],
])('%s', (text, wanted) => {
  expect(parseTarget(text)).toEqual(wanted)
})

import { expect, test } from 'vitest'
import { createCatchUp } from '../../../ops/process/catch-up.ts'
import { formatBar } from '../../../ops/resync/bar.ts'

function watched(isTerminal = false) {
  const lines: { message: string; fields: Record<string, unknown> }[] = []
  let now = 0
  const catchUp = createCatchUp(
    (_, message, fields = {}) => lines.push({ message, fields }),
    'crm',
    isTerminal,
    () => now,
  )
  return {
    lines,
    at(ms: number, ...lags: readonly number[]) {
      now = ms
      catchUp.received('customer', 100)
      for (const [partition, lag] of lags.entries()) catchUp.lag('customer', partition, lag)
    },
  }
}

test('how far it is behind is told every few seconds with an estimate, until it has caught up once', () => {
  const { lines, at } = watched()
  at(0, 6_000, 4_000)
  for (let ms = 500; ms <= 10_000; ms += 500) at(ms, 6_000 - ms * 0.3, 4_000 - ms * 0.2)
  for (let ms = 10_500; ms <= 40_000; ms += 500) at(ms, Math.max(0, 6_000 - ms * 0.3), Math.max(0, 4_000 - ms * 0.2))
  at(50_000, 9_000, 9_000)
  expect(lines.map(({ message }) => message)).toEqual([
    ...Array(lines.length - 1).fill('crm catches up'),
    'crm has caught up',
  ])
  expect(lines[1]!.fields).toMatchObject({ entity: 'customer', leftSeconds: 16 })
  expect(lines.at(-1)!.fields).toMatchObject({ seconds: expect.toSatisfy((s: number) => s >= 20 && s <= 24) })
})

test('who is not behind is not told about', () => {
  const { lines, at } = watched()
  for (let ms = 0; ms < 20_000; ms += 500) at(ms, 3, 0)
  expect(lines).toEqual([])
})

test('a person sees a bar', () => {
  const { lines, at } = watched(true)
  at(0, 10_000)
  at(6_000, 5_000)
  expect(lines.at(-1)!.message).toBe('crm catches up ████████████░░░░░░░░░░░░  50%, about 6 s left')
  expect(formatBar(1, 9_000)).toBe('████████████████████████ 100%')
  expect(formatBar(0, 0)).toBe('░░░░░░░░░░░░░░░░░░░░░░░░   0%')
})

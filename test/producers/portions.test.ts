import { expect, test } from 'vitest'
import type { SourceEvent } from '../../connectors/source.ts'
import { Portions } from '../../producers/portions.ts'
import { LargeValue } from '../../schemas/large-value.ts'
import { deltaOf } from '../schemas/sample.ts'

const MEGABYTE = 1024 ** 2
const eventOf = (missing: readonly string[]): SourceEvent => ({
  kind: 'change',
  change: deltaOf('document', { id: '1' }),
  missing,
})
const incomplete = (count: number) => Array.from({ length: count }, () => eventOf(['body']))

/** Cuts as the pipeline does, with rows of so many bytes. @returns how many incomplete rows each portion had */
function sizes(portions: Portions, events: readonly SourceEvent[], rowBytes: number): number[] {
  const found: number[] = []
  for (const portion of portions.cut(events)) {
    const rows = portion.filter((event) => event.kind === 'change' && event.missing.length > 0)
    found.push(rows.length)
    const body = new LargeValue(Buffer.alloc(rowBytes), 'utf8')
    portions.learn(
      portion,
      rows.map(() => ({ kind: 'change', change: deltaOf('document', { id: '1', body }), missing: [], wasRead: true })),
    )
  }
  return found
}

test('the rows of a portion follow their size: few of large ones, more and more of small ones', () => {
  expect(sizes(new Portions(), incomplete(5), 20 * MEGABYTE)).toEqual([1, 1, 1, 1, 1])
  expect(sizes(new Portions(), incomplete(14), 4 * MEGABYTE)).toEqual([1, 4, 4, 4, 1])
  expect(sizes(new Portions(), incomplete(700), 0)).toEqual([1, 8, 64, 500, 127])
})

test('what is learnt holds for the next batch, and large rows after small ones are fewer again', () => {
  const portions = new Portions()
  sizes(portions, incomplete(100), 0)
  expect(sizes(portions, incomplete(300), 20 * MEGABYTE)).toEqual([300])
  expect(sizes(portions, incomplete(2), 20 * MEGABYTE)).toEqual([1, 1])
})

test('the portions are the batch, in order; one with nothing to complete stays as it is', () => {
  const events = Array.from({ length: 50 }, (_, n) => eventOf(n % 3 === 0 ? ['body'] : []))
  expect([...new Portions().cut(events)].flat()).toEqual(events)
  const whole = [eventOf([]), eventOf([])]
  expect([...new Portions().cut(whole)][0]).toBe(whole)
})

import { expect, test } from 'vitest'
import { RememberedKeys } from '../../../connectors/postgres/remembered-keys.ts'

test('what is remembered is bounded by its bytes, not by a number of keys of any length', () => {
  const remembered = new RememberedKeys(10_000)
  const long = (at: number) => `${at}`.padEnd(1_000, 'x')
  for (let at = 0; at < 10; at++) expect(remembered.add(long(at))).toBe(true)
  const again = Array.from({ length: 10 }, (_, at) => remembered.add(long(at)))
  expect(again.filter((isNew) => !isNew).length).toBe(4)
  expect(remembered.add('short')).toBe(true)
  expect(remembered.add('short')).toBe(false)
})

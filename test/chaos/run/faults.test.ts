import { expect, test } from 'vitest'
import { seededRandom } from '../workload/random.ts'
import { FAILING_CLASS, FAULTS, LOSSES, planRun, planWindow } from './faults.ts'

const MEMBERS = ['capture', 'warehouse 1', 'search']
const windowsOf = (seed: number, count: number, losesHistory = true) => {
  const random = seededRandom(seed, 'windows')
  return Array.from({ length: count }, () => planWindow(random, MEMBERS, losesHistory))
}

test('a seed plans the same windows again', () => {
  expect(windowsOf(7, 20)).toEqual(windowsOf(7, 20))
  expect(windowsOf(7, 20)).not.toEqual(windowsOf(8, 20))
})

test('windows last 5 to 15 seconds, and their faults begin within them', () => {
  for (const { forMs, faults } of windowsOf(1, 300)) {
    expect(forMs).toBeGreaterThanOrEqual(5_000)
    expect(forMs).toBeLessThanOrEqual(15_000)
    for (const { afterMs } of faults) expect(afterMs).toBeLessThan(forMs)
  }
})

test('every fault is planned sooner or later, and one thing is hit by one at a time', () => {
  const windows = windowsOf(1, 600)
  const kinds = new Set(windows.flatMap(({ faults }) => faults.map(({ kind }) => kind)))
  expect([...kinds].sort()).toEqual([...new Set([...Object.values(FAULTS).flat(), ...LOSSES, FAILING_CLASS])].sort())
  for (const { faults } of windows) expect(new Set(faults.map(({ target }) => target)).size).toBe(faults.length)
})

test('some windows hit one subscriber alone', () => {
  const alone = windowsOf(1, 100).filter((window) => window.alone !== null)
  expect(new Set(alone.map((window) => window.alone))).toEqual(new Set(['search', 'vendor', 'warehouse']))
  for (const { faults } of alone) expect(faults).toHaveLength(1)
})

test('a run that does not set out to lose the history of its source keeps it', () => {
  const kinds = windowsOf(1, 600, false).flatMap(({ faults }) => faults.map(({ kind }) => kind))
  expect(kinds.filter((kind) => (LOSSES as readonly string[]).includes(kind))).toEqual([])
})

test('a seed plans the same run again, and seeds differ in each of its choices', () => {
  expect(planRun(7)).toEqual(planRun(7))
  const plans = Array.from({ length: 60 }, (_, seed) => planRun(seed))
  expect(new Set(plans.map((plan) => JSON.stringify(plan))).size).toBe(12)
})

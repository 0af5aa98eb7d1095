import { expect, test } from 'vitest'
import { fixtureNames, loadFixture, toldViolations, trim } from '../histories/fixture.ts'
import { sample } from './sample.ts'

const NAMES = await fixtureNames()

test.each(NAMES)('the kept history "%s" is judged as is written beside it', async (name) => {
  const { run, verdict } = await loadFixture(name)
  expect(verdict.violations).not.toEqual([])
  expect(toldViolations(run)).toEqual(verdict.violations)
})

test('histories are kept', () => {
  expect(NAMES.length).toBeGreaterThanOrEqual(2)
})

test('what a verdict does not need is taken away, and what it needs is not', () => {
  const whole = sample()
  const other = <T extends { readonly key: string }>(entries: readonly T[]) =>
    entries.map((entry) => ({ ...entry, key: '2' }))
  const run = sample({
    source: [...whole.source, ...other(whole.source).map((entry) => ({ ...entry, number: entry.number + 3 }))],
    topic: [...whole.topic, ...other(whole.topic).map((entry) => ({ ...entry, offset: entry.offset + 3 }))],
    effects: [
      ...whole.effects.filter(({ number }) => number < 3),
      ...other(whole.effects).map((entry) => ({ ...entry, number: entry.number + 3 })),
    ],
    states: [...whole.states, ...other(whole.states)],
    progress: whole.progress.map((one) => ({ ...one, ends: { 'item/0': 6 } })),
    faults: [],
  })
  const kept = trim(run)
  expect(toldViolations(run).length).toBeGreaterThan(0)
  expect(toldViolations(kept)).toEqual(toldViolations(run))
  expect(kept.source).toEqual(whole.source)
  expect(kept.output).toEqual([])
})

test('a history of which all is needed is kept whole', () => {
  const run = sample({ output: [{ atMs: 1, process: 'capture', text: 'password s3cret' }] })
  expect(trim(run)).toBe(run)
})

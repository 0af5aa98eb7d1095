import { expect, test } from 'vitest'
import type { ViewAccumulator } from '../../../ops/demo/view-model.ts'
import { applied, STARTED_AT_MS, sampleModel } from './sample-model.ts'

const at = (seconds: number) => STARTED_AT_MS + seconds * 1_000
const version = (position: number) => ({ epoch: 1n, position: BigInt(position), ordinal: 0 })
const change = (key: string, position: number, fields: Record<string, string>) =>
  applied({ entity: 'customers', key, version: version(position), fields })
const states = (model: ViewAccumulator, seconds: number) =>
  model.snapshot(at(seconds)).oneChange?.arrivals.map(({ state }) => state)

test('a change is followed to each subscriber, and shows what it became there', () => {
  const model = sampleModel()
  model.onApplied({ ...change('7', 1, { creditlimit: '1.00' }), subscriber: 'crm' }, at(1))
  expect(states(model, 1)).toEqual(['waits', 'arrived', 'waits'])
  model.onApplied(change('7', 1, { credit_limit: '1.00' }), at(1))
  model.onApplied({ ...change('7', 1, { 'metafields.custom.credit': '1.00 EUR' }), subscriber: 'store' }, at(2))
  const { oneChange } = model.snapshot(at(2))
  expect(oneChange).toMatchObject({ entity: 'customers', key: '7' })
  expect(oneChange!.arrivals.map(({ patch }) => patch!.fields.map(({ name, text }) => `${name}=${text}`))).toEqual([
    ['credit_limit=1.00'],
    ['creditlimit=1.00'],
    ['metafields.custom.credit=1.00 EUR'],
  ])
})

test('a change that some subscriber takes nothing of is not chosen', () => {
  const model = sampleModel()
  model.onApplied(change('7', 1, { segment: 'public' }), at(1))
  model.onApplied(applied({ entity: 'orders', key: 'a', fields: { note: 'x' } }), at(1))
  model.onApplied({ ...change('8', 1, { credit_limit: '1.00' }), kind: 'create', full: true }, at(1))
  expect(model.snapshot(at(1)).oneChange).toBeNull()
})

test('one that somebody was asked to make is shown all the same, and says who takes nothing of it', () => {
  const model = sampleModel()
  model.onApplied(change('42', 1, { segment: 'public' }), at(1))
  expect(states(model, 1)).toEqual(['arrived', 'waits', 'none'])
})

test('a change stays for six seconds, and one that was asked for comes at once and stays for thirty', () => {
  const model = sampleModel()
  const keyAt = (seconds: number) => model.snapshot(at(seconds)).oneChange?.key
  model.onApplied(change('7', 1, { credit_limit: '1.00' }), at(1))
  model.onApplied(change('8', 1, { credit_limit: '1.00' }), at(5))
  expect(keyAt(5)).toBe('7')
  model.onApplied(change('9', 1, { credit_limit: '1.00' }), at(7))
  expect(keyAt(7)).toBe('9')
  model.onApplied(change('42', 1, { credit_limit: '1.00' }), at(8))
  model.onApplied(change('7', 2, { credit_limit: '2.00' }), at(37))
  expect(keyAt(37)).toBe('42')
  model.onApplied(change('7', 3, { credit_limit: '3.00' }), at(38))
  expect(keyAt(38)).toBe('7')
})

test('a subscriber that gets a newer change of the object misses nothing', () => {
  const model = sampleModel()
  model.onApplied(change('7', 1, { credit_limit: '1.00' }), at(1))
  model.onApplied({ ...change('7', 2, { creditlimit: '2.00' }), subscriber: 'crm' }, at(2))
  expect(states(model, 2)).toEqual(['arrived', 'newer', 'waits'])
})

test('an old change that comes late does not take the place of the newer one', () => {
  const model = sampleModel()
  model.onApplied(change('42', 2, { credit_limit: '2.00' }), at(1))
  model.onApplied({ ...change('42', 1, { creditlimit: '1.00' }), subscriber: 'crm' }, at(2))
  expect(states(model, 2)).toEqual(['arrived', 'waits', 'waits'])
})

test('a change that is chosen at its second subscriber has been at the first', () => {
  const model = sampleModel()
  model.onApplied(change('7', 1, { credit_limit: '1.00' }), at(1))
  model.onApplied(change('8', 1, { credit_limit: '1.00' }), at(6.9))
  model.onApplied({ ...change('8', 1, { creditlimit: '1.00' }), subscriber: 'crm' }, at(7))
  expect(model.snapshot(at(7)).oneChange?.key).toBe('8')
  expect(states(model, 7)).toEqual(['arrived', 'arrived', 'waits'])
})

test('what a subscriber catches up with is not chosen: the others had it long ago', () => {
  const model = sampleModel()
  const late = { ...change('7', 1, { 'metafields.custom.credit': '1.00 EUR' }), subscriber: 'store' }
  model.onApplied({ ...late, latencyMs: 25_000 }, at(1))
  expect(model.snapshot(at(1)).oneChange).toBeNull()
})

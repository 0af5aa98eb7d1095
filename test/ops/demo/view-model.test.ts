import { expect, test } from 'vitest'
import { LatencyWindow, SecondCounts } from '../../../ops/demo/view/rolling.ts'
import { RECENT_MAX, viewEntity } from '../../../ops/demo/view-model.ts'
import { applied, STARTED_AT_MS, sampleModel } from './sample-model.ts'

const at = (seconds: number) => STARTED_AT_MS + seconds * 1_000

test('rates are averages of the last five whole seconds', () => {
  const model = sampleModel()
  for (let tenth = 0; tenth < 100; tenth++) model.onCaptured(2, at(tenth / 10))
  expect(model.snapshot(at(10)).rates.captured).toBe(20)
  expect(model.snapshot(at(13)).rates.captured).toBe(8)
  expect(model.snapshot(at(60)).rates.captured).toBe(0)
})

test('the running second does not count yet, and a young process is averaged over its age', () => {
  const counts = new SecondCounts(5)
  counts.add(10, 0)
  counts.add(20, 1_000)
  expect(counts.rate(5, 0, 500)).toBe(0)
  expect(counts.rate(5, 0, 1_500)).toBe(10)
  expect(counts.rate(5, 0, 2_500)).toBe(15)
  expect(counts.history(5, 6_000)).toEqual([20, 0, 0, 0, 0])
})

test('percentiles are at most five percent above the true ones, and forget after the window', () => {
  const window = new LatencyWindow(10)
  for (let ms = 1; ms <= 1_000; ms++) window.add(ms, 5_000)
  const found = window.percentiles(14_000)!
  for (const [got, exact] of [
    [found.p50, 500],
    [found.p95, 950],
    [found.p99, 990],
  ] as const) {
    expect(got).toBeGreaterThanOrEqual(exact)
    expect(got).toBeLessThanOrEqual(exact * 1.05)
  }
  expect(window.percentiles(15_000)).toBeNull()
})

test('absurd latencies stay in the histogram', () => {
  const window = new LatencyWindow(10)
  for (const ms of [-5, 0, Number.NaN, Number.POSITIVE_INFINITY]) window.add(ms, 0)
  expect(window.percentiles(0)?.count).toBe(4)
})

test('snapshot rows count as patches, but not for latency nor for the list', () => {
  const model = sampleModel()
  model.onApplied(applied({ entity: 'orders', key: 'a', kind: 'snapshot', latencyMs: 9e9 }), at(1))
  const view = model.snapshot(at(2))
  expect(view.latency).toBeNull()
  expect(view.recent).toEqual([])
  expect(view.entities.find(({ name }) => name === 'orders')?.patches).toBe(1)
})

test('a watched change is listed at once and stays for twenty seconds, however busy it is', () => {
  const model = sampleModel()
  model.onApplied(applied({ entity: 'orders', key: 'first' }), at(1))
  model.onApplied(applied({ entity: 'customers', key: '42', fields: { credit_limit: '1.00' } }), at(1.001))
  for (let hundredth = 0; hundredth < 1_500; hundredth++)
    model.onApplied(applied({ entity: 'orders', key: `k${hundredth}` }), at(2 + hundredth / 100))
  const recent = model.snapshot(at(17)).recent
  expect(recent).toHaveLength(RECENT_MAX)
  expect(recent.filter(({ watched }) => watched).map(({ key }) => key)).toEqual(['42'])
  expect(recent.map(({ atMs }) => atMs)).toEqual(recent.map(({ atMs }) => atMs).sort((a, b) => b - a))
  expect(model.snapshot(at(22)).recent.some(({ watched }) => watched)).toBe(false)
})

test('the list takes at most two changes a second, so that it can be read', () => {
  const model = sampleModel()
  for (let millisecond = 0; millisecond < 2_000; millisecond++)
    model.onApplied(applied({ entity: 'orders', key: `k${millisecond}` }), at(1) + millisecond)
  expect(model.snapshot(at(3)).recent.map(({ key }) => key)).toEqual(['k1500', 'k1000', 'k500', 'k0'])
})

test('what is kept does not grow with the number of changes, fields, services or unknown entities', () => {
  const model = sampleModel()
  const fields = Object.fromEntries(Array.from({ length: 500 }, (_, field) => [`f${field}`, 'x']))
  for (let n = 0; n < 5_000; n++) {
    model.setService(`service ${n}`, 'ready', '', at(n))
    model.onApplied(applied({ entity: `entity ${n % 900}`, key: String(n), fields }), at(n))
    model.onApplied(applied({ entity: 'customers', key: '42', fields }), at(n))
    model.onPublished(`entity ${n}`, 1, at(n))
    model.onGated(`entity ${n}`, 1)
  }
  const view = model.snapshot(at(5_000))
  expect(view.entities).toHaveLength(5)
  expect(view.services).toHaveLength(12)
  expect(view.recent).toHaveLength(RECENT_MAX)
  expect(view.recent.every((change) => change.fields.length === 16)).toBe(true)
})

test('times of day come after the fields that say more', () => {
  const model = sampleModel()
  const fields = { updated_at: BigInt(at(1)) * 1_000n, segment: 'retail' }
  model.onApplied(applied({ entity: 'customers', key: '1', fields }), at(1))
  expect(model.snapshot(at(1)).recent[0]?.fields.map(({ name, text }) => `${name}=${text}`)).toEqual([
    'segment=retail',
    'updated_at=14:03:01',
  ])
})

test('time left follows from the rows that are left and the rate so far', () => {
  const model = sampleModel()
  const progress = {
    source: 'erp',
    entity: 'orders',
    rowsDone: 100,
    rowsEstimated: 400,
    startedAtMs: at(0),
    done: false,
  }
  model.onSnapshotProgress(progress, at(1))
  expect(model.snapshot(at(2)).entities.find(({ name }) => name === 'orders')?.snapshot).toMatchObject({
    rowsPerSecond: 50,
    leftMs: 6_000,
  })
  model.onSnapshotProgress({ ...progress, rowsDone: 410, done: true }, at(4))
  expect(model.snapshot(at(9)).entities.find(({ name }) => name === 'orders')?.snapshot).toMatchObject({
    tookMs: 4_000,
    leftMs: 0,
  })
})

test("a mapped field is personal when the entity's field is, under the destination's name", () => {
  const type = { kind: 'string' } as const
  const entity = {
    name: 'customers',
    key: ['id'],
    fields: [{ name: 'email', type, personal: true }],
    class: 'standard',
    owner: 'sales',
    freshnessSeconds: 5,
  } as const
  const fields = [{ to: 'mail', from: ['email'], type, transform: null }]
  const mapping = { entity, target: 'customers', fields, keyFields: [], updateOnly: false, lookups: {} }
  expect(viewEntity({ ...mapping, onDelete: 'hard' })).toEqual({
    name: 'customers',
    fields: [{ name: 'mail', from: ['email'], type, personal: true }],
  })
})

import { expect, test } from 'vitest'
import type { Declaration } from '../../../ops/declaration/declaration.ts'
import { formatReport } from '../../../ops/report/format.ts'
import { QUERIES } from '../../../ops/report/queries.ts'
import { type Answers, reportOf } from '../../../ops/report/report.ts'

const WEEK_SECONDS = 7 * 24 * 3600
const declaration = {
  subscribers: new Map([
    ['crm', { name: 'crm', mappings: [{ entity: { name: 'order' } }] }],
    ['store', { name: 'store', mappings: [{ entity: { name: 'order' } }] }],
  ]),
  entities: new Map([['order', { class: 'critical', owner: 'order-desk', freshnessSeconds: 30 }]]),
} as unknown as Declaration

const NOTHING = Object.fromEntries(Object.keys(QUERIES).map((name) => [name, []])) as unknown as Answers
const at = (subscriber: string) => ({ subscriber, entity: 'order' })

const ANSWERS: Answers = {
  ...NOTHING,
  applied: [{ labels: at('crm'), value: 1199.7 }],
  p50: [{ labels: at('crm'), value: 0.021 }],
  p99: [
    { labels: at('crm'), value: 95 },
    { labels: at('store'), value: Number.NaN },
  ],
  lateShare: [{ labels: at('crm'), value: 0.02 }],
  errorShare: [{ labels: { subscriber: 'crm' }, value: 0.00002 }],
  deadLetters: [
    { labels: at('crm'), value: 3 },
    { labels: at('store'), value: 0 },
  ],
  oldestDeadLetterSeconds: [{ labels: at('crm'), value: 90_000 }],
  downShare: [
    { labels: { part: 'capture erp' }, value: 0.01 },
    { labels: { part: 'deliver crm critical' }, value: 0 },
  ],
  seenSeconds: [{ labels: {}, value: 36_000 }],
}

test('every entity of every subscriber has a row, and what nobody knows is not a number', () => {
  const { entities, subscribers } = reportOf(declaration, ANSWERS, WEEK_SECONDS)
  expect(entities).toMatchObject([
    { subscriber: 'crm', applied: 1200, p99Seconds: 95, targetSeconds: 30, owner: 'order-desk', deadLetters: 3 },
    { subscriber: 'store', applied: null, p50Seconds: null, p99Seconds: null, deadLetters: 0 },
  ])
  expect(subscribers).toEqual([
    { subscriber: 'crm', errorShare: 0.00002 },
    { subscriber: 'store', errorShare: null },
  ])
})

test('downtime is that of the time that is known', () => {
  expect(reportOf(declaration, ANSWERS, WEEK_SECONDS)).toMatchObject({
    seenSeconds: 36_000,
    down: [{ part: 'capture erp', seconds: 360 }],
  })
})

test('is read in a hundred columns, with who has to do what', () => {
  const lines = formatReport(reportOf(declaration, ANSWERS, WEEK_SECONDS), { colour: false })
  expect(lines[0]).toBe('The last 168 h, of which 10 h are known')
  expect(lines).toContain('crm         order   1,200    21 ms  95 s  30 s    2.00 %  3     order-desk')
  expect(lines).toContain('crm         <0.01 %  0.10 %')
  expect(lines).toContain('capture erp  6 min')
  expect(lines.join(' ')).toContain('3 dead letters of order at crm wait for order-desk, the oldest for 25 h')
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100)
})

test('a pipeline of which nothing is known is told as that', () => {
  const lines = formatReport(reportOf(declaration, NOTHING, 3600), { colour: false })
  expect(lines[0]).toBe('The last 60 min, of which 0 s are known')
  expect(lines).toContain('Nothing was down.')
})

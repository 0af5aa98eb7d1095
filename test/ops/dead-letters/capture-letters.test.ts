import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { keyShower } from '../../../ops/dead-letters/capture/key-shown.ts'
import { formatList, listLetters } from '../../../ops/dead-letters/capture/list.ts'
import { OpenLetters } from '../../../ops/dead-letters/capture/open-letters.ts'
import { planReplay } from '../../../ops/dead-letters/capture/replay.ts'
import { ReplayWatch } from '../../../ops/dead-letters/capture/replay-watch.ts'
import { clearing, entity, incoming, letterRecord } from './letters.ts'

const ENTITIES = new Map([
  ['customer', entity('customer', { id: { type: 'int64' }, credit: { type: 'decimal(12,2)' } }, ['id'])],
  ['person', entity('person', { email: { type: 'string', personal: true } }, ['email'])],
  [
    'visit',
    entity('visit', { shop: { type: 'string' }, email: { type: 'string', personal: true } }, ['shop', 'email']),
  ],
])

function opened(records: readonly ReturnType<typeof letterRecord>[], filter = {}, max?: number) {
  const open = new OpenLetters(filter, max)
  for (const record of incoming(records)) open.take(record)
  return open
}

const keys = (open: OpenLetters) => open.list().map(({ key }) => key)

test('what is open is the newest entry of each key that has no tombstone behind it, the oldest first', () => {
  const open = opened([
    letterRecord('customer', '2', 9n),
    letterRecord('customer', '1', 3n),
    letterRecord('customer', '3', 4n),
    clearing('customer', '3', 5n),
    letterRecord('customer', '1', 6n),
  ])
  expect(open.list().map(({ key, version }) => [key, version.position])).toEqual([
    ['1', 6n],
    ['2', 9n],
  ])
})

test('filters are entity, key and a part of the reason; a newer entry that does not match takes an older one away', () => {
  const records = [
    letterRecord('customer', '1', 1n),
    letterRecord('customer', '2', 2n, { reason: 'it has more digits than decimal(12,2) holds' }),
    letterRecord('person', '1', 3n),
    letterRecord('customer', '4', 4n),
    letterRecord('customer', '4', 5n, { reason: 'something else' }),
  ]
  expect(keys(opened(records, { entity: 'customer' }))).toEqual(['1', '2', '4'])
  expect(keys(opened(records, { entity: 'customer', key: '2' }))).toEqual(['2'])
  expect(keys(opened(records, { reason: 'MORE DIGITS' }))).toEqual(['2'])
  expect(keys(opened(records, { entity: 'customer', reason: 'finite' }))).toEqual(['1'])
})

test('keys with slashes are whole, and what is no dead letter is listed as one that cannot be read', () => {
  const [broken] = incoming([letterRecord('customer', 'a/b/c', 1n)])
  const open = new OpenLetters({})
  open.take({ ...broken!, value: Buffer.from('{') })
  expect(open.list()).toMatchObject([
    { entity: 'customer', key: 'a/b/c', reason: 'the entry on the topic cannot be read' },
  ])
})

test('beyond the bound it says that it is incomplete', () => {
  const open = opened(
    Array.from({ length: 5 }, (_, key) => letterRecord('customer', String(key), BigInt(key))),
    {},
    3,
  )
  expect([open.list().length, open.leftOut]).toEqual([3, 2])
  const list = listLetters('erp', open.list(), true, 2, keyShower(ENTITIES, false), 0)
  expect(formatList(list, 0)[0]).toContain('more than 3 open dead letters')
})

test('a hundred thousand entries are counted and kept in less than 100 MB', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const open = new OpenLetters({})
  collect()
  const before = process.memoryUsage().heapUsed
  for (let key = 0; key < 100_000; key++) {
    const [record] = incoming([letterRecord('customer', `key-${key}`, BigInt(key))], key)
    open.take(record!)
  }
  collect()
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(100 * 1024 * 1024)
  const list = listLetters('erp', open.list(), false, 20, keyShower(ENTITIES, false), 0)
  expect(list).toMatchObject({ open: 100_000, groups: [{ entity: 'customer', count: 100_000 }] })
  expect(list.entries).toHaveLength(20)
})

test('personal keys are masked, in composite ones the personal part alone, and those of unknown entities', () => {
  const masked = keyShower(ENTITIES, false)
  expect(masked('customer', '42')).toEqual({ text: '42', masked: false })
  expect(masked('person', 'ada@example.com')).toEqual({ text: '•••', masked: true })
  expect(masked('visit', '["paris","ada@example.com"]')).toEqual({ text: '["paris","•••"]', masked: true })
  expect(masked('visit', 'ada@example.com')).toEqual({ text: '•••', masked: true })
  expect(masked('stranger', 'ada@example.com')).toEqual({ text: '•••', masked: true })
  expect(keyShower(ENTITIES, true)('person', 'ada@example.com').text).toBe('ada@example.com')
})

test('the list fits 100 columns, counts by field and reason, and says what to do next', () => {
  const open = opened([
    letterRecord('customer', '1', 1n),
    letterRecord('customer', `\u001b[31m${'k'.repeat(200)}`, 2n),
    letterRecord('customer', '3', 3n, { field: 'note', reason: 'word '.repeat(60).trim() }),
    letterRecord('person', 'ada@example.com', 4n, { field: 'x'.repeat(60) }),
  ])
  const nowMs = 10 * 60_000
  const list = listLetters('erp', open.list(), false, 3, keyShower(ENTITIES, false), nowMs)
  expect(list.groups[0]).toMatchObject({ entity: 'customer', field: 'credit', count: 2 })
  expect(list.entries[0]).toMatchObject({ key: '1', version: '1/1/0', ageSeconds: 540 })
  const lines = formatList(list, nowMs)
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100)
  const text = lines.join('\n')
  expect(text).toContain('4 open dead letters of source erp')
  expect(text).toContain('1 more: --limit')
  expect(text).toContain('tributary dlq replay erp')
  expect(text).not.toContain('\u001b')
  expect(JSON.stringify(listLetters('erp', open.list(), false, 20, keyShower(ENTITIES, false), nowMs))).not.toContain(
    'example.com',
  )
})

test('a replay asks for every row once, by entity and in bounded requests, but for rows whose key is not known', () => {
  const many = Array.from({ length: 1_001 }, (_, key) => letterRecord('customer', String(key), 1n))
  const open = opened([
    ...many,
    letterRecord('person', 'ada', 2n),
    letterRecord('person', '!key-null/5/3', 3n),
    letterRecord('person', '!key-too-long/5/0', 3n),
  ])
  const plan = planReplay('the_slot', open.list(), false)
  expect(plan.requests.map((request) => [request.entity, request.kind === 'replay' && request.keys.length])).toEqual([
    ['customer', 500],
    ['customer', 500],
    ['customer', 1],
    ['person', 1],
  ])
  expect(plan.requests.every(({ slot }) => slot === 'the_slot')).toBe(true)
  expect([plan.letters.length, plan.keyless]).toEqual([1_002, 2])
  const named = planReplay('the_slot', open.list().slice(-1), true)
  expect([named.letters.length, named.keyless]).toEqual([1, 0])
})

test('of what is on the topic only what is newer than the replayed entry counts', () => {
  const before = [
    letterRecord('customer', '1', 1n),
    clearing('customer', '1', 2n),
    letterRecord('customer', '1', 3n),
    letterRecord('customer', '2', 3n),
    letterRecord('customer', '3', 3n),
    letterRecord('customer', '4', 3n),
  ]
  const watch = new ReplayWatch(opened(before).list())
  for (const record of incoming(before)) watch.take(record)
  expect([watch.cleared, watch.stillBad.length, watch.waiting]).toEqual([0, 0, 4])
  const after = [
    clearing('customer', '1', 9n),
    letterRecord('customer', '2', 9n, { reason: 'still bad' }),
    letterRecord('customer', '3', 9n),
    clearing('customer', '3', 10n),
    letterRecord('customer', 'other', 9n),
  ]
  for (const record of incoming(after, before.length)) watch.take(record)
  expect([watch.cleared, watch.waiting]).toEqual([2, 1])
  expect(watch.stillBad).toMatchObject([{ key: '2', reason: 'still bad' }])
})

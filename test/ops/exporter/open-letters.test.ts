import { expect, test } from 'vitest'
import type { IncomingRecord } from '../../../connectors/kafka/consumer.ts'
import { OpenLetterCounts } from '../../../ops/exporter/open-letters.ts'
import { LETTER_HEADERS } from '../../../schemas/dead-letter.ts'

const AT = '2026-11-22T10:00:00.000Z'

function letter(name: string, state: string | null, firstFailedAt: string | undefined = AT): IncomingRecord {
  const headers = state === null ? {} : { [LETTER_HEADERS.state]: state, [LETTER_HEADERS.firstFailedAt]: firstFailedAt }
  const value = state === null ? null : Buffer.alloc(0)
  return { topic: 't', partition: 0, offset: 0n, key: Buffer.from(name), value, headers, timestampMs: 7 }
}

function counted(...records: readonly IncomingRecord[]) {
  const counts = new OpenLetterCounts(3)
  for (const record of records) counts.read(record)
  return counts
}

test('of each key the newest letter counts, in its state, from when it failed first', () => {
  const counts = counted(
    letter('order/1', 'retrying'),
    letter('order/2', 'dead', '2026-11-22T11:00:00.000Z'),
    letter('order/1', 'dead'),
    letter('order/1', 'dead'),
  )
  expect(counts.counts(['order'])).toEqual([
    { entity: 'order', state: 'retrying', open: 0, oldestSinceMs: null },
    { entity: 'order', state: 'dead', open: 2, oldestSinceMs: Date.parse(AT) },
  ])
})

test('a letter that ends does not count, and an entity without any shows none', () => {
  const counts = counted(letter('order/1', 'dead'), letter('order/1', null), letter('order/2', null))
  expect(counts.counts(['order', 'customer']).map(({ open }) => open)).toEqual([0, 0, 0, 0])
})

test('one that does not say when it failed is as old as its record', () => {
  const unsaid = { ...letter('order/1', 'dead'), headers: {} }
  for (const one of [letter('order/1', 'dead', 'yesterday'), unsaid])
    expect(counted(one).counts(['order'])[1]!.oldestSinceMs).toBe(7)
})

test('letters beyond the bound are told as a number, and those within it go on being followed', () => {
  const counts = counted(...['1', '2', '3', '4', '5'].map((key) => letter(`order/${key}`, 'dead')))
  counts.read(letter('order/1', 'retrying'))
  counts.read(letter('order/4', null))
  expect(counts.untracked).toBe(2)
  expect(counts.counts(['order']).map(({ open }) => open)).toEqual([1, 2])
})

test('long keys are told apart', () => {
  const long = (end: string) => letter(`order/${'x'.repeat(500)}${end}`, 'dead')
  const counts = counted(long('a'), long('b'))
  counts.read({ ...long('a'), value: null })
  expect(counts.counts(['order'])[1]!.open).toBe(1)
})

import { expect, test } from 'vitest'
import type { IncomingRecord } from '../../connectors/kafka/consumer.ts'
import { PUBLISHED_RECORDS_MAX, publishedBatches, UNREADABLE_VERSION } from '../../producers/published.ts'
import { at, deleteAt, valueAt } from '../support/topics/topic-records.ts'

const record = (offset: number, key: string | Buffer | null, parts: Partial<IncomingRecord> = {}): IncomingRecord => ({
  topic: 'p.customer',
  partition: 2,
  offset: BigInt(offset),
  key: key === null ? null : Buffer.from(key),
  value: valueAt(at(offset)),
  headers: {},
  timestampMs: 0,
  ...parts,
})

const recordsOf = (...records: IncomingRecord[]) => [...publishedBatches({ records, rest: {} })][0]!.records

test('of each key the newest record of a batch is told, and whether it is a delete', () => {
  const found = recordsOf(
    record(1, 'a'),
    record(2, 'b'),
    record(3, 'a', { value: null, headers: deleteAt(at(3)) }),
    record(4, 'b'),
  )
  expect(found).toEqual([
    { key: 'a', version: at(3), deleted: true },
    { key: 'b', version: at(4), deleted: false },
  ])
})

test('an old delete that was published again does not hide that its key lives', () => {
  const found = recordsOf(
    record(1, 'a', { value: null, headers: deleteAt(at(1)) }),
    record(2, 'a'),
    record(3, 'a', { value: null, headers: deleteAt(at(1)) }),
  )
  expect(found).toEqual([{ key: 'a', version: at(2), deleted: false }])
})

test('a record that cannot be read is alive and older than everything, so that a sweep deletes its key', () => {
  const unreadable = { key: 'a', version: UNREADABLE_VERSION, deleted: false }
  expect(recordsOf(record(1, 'a', { value: Buffer.from('{}') }))).toEqual([unreadable])
  expect(recordsOf(record(1, 'a', { value: null }))).toEqual([unreadable])
  expect(recordsOf(record(1, 'a'), record(2, 'a', { value: null }))).toEqual([unreadable])
})

test('a key that is no text is left out, as no delete could name it', () => {
  expect(recordsOf(record(1, null), record(2, Buffer.from([0xff])), record(3, 'a'))).toHaveLength(1)
})

test('a batch has a bounded number of records, and its rest begins at the next one', () => {
  const count = 2 * PUBLISHED_RECORDS_MAX + 1
  const records = Array.from({ length: count }, (_, offset) => record(10 + offset, `k${offset}`))
  const other = { 3: { next: '0', end: '5' } }
  const rest = { 2: { next: '9000', end: '9999' }, ...other }
  const batches = [...publishedBatches({ records, rest })]
  expect(batches.map((batch) => batch.records.length)).toEqual([PUBLISHED_RECORDS_MAX, PUBLISHED_RECORDS_MAX, 1])
  expect(batches.map((batch) => batch.rest)).toEqual([
    { 2: { next: `${10 + PUBLISHED_RECORDS_MAX}`, end: '9999' }, ...other },
    { 2: { next: `${10 + 2 * PUBLISHED_RECORDS_MAX}`, end: '9999' }, ...other },
    rest,
  ])
  const last = [...publishedBatches({ records, rest: other })]
  expect(last[1]!.rest).toEqual({ 2: { next: `${10 + 2 * PUBLISHED_RECORDS_MAX}`, end: `${10 + count}` }, ...other })
  expect(last[2]!.rest).toEqual(other)
})

test('a batch without records still tells what is left', () => {
  const rest = { 1: { next: '4', end: '9' } }
  expect([...publishedBatches({ records: [], rest })]).toEqual([{ records: [], rest }])
})

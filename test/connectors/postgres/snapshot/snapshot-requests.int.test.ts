import { expect, test } from 'vitest'
import { compareVersions } from '../../../../schemas/version.ts'
import { ask, expectVersionsToRise, ITEM, items, tableOf, topicOf } from '../items.ts'
import { type Collected, collect, hasChange, isSnapshotDone, sourceFor } from '../own-database.ts'

const OLD = { epoch: 1n, position: 1n, ordinal: 0 }

/** Items that are captured, their first snapshot done. */
async function streaming(rows: number, settle = true, rowsPerSecond?: number) {
  const database = await items(rows)
  const source = sourceFor(database, [ITEM], { snapshot: { chunkRows: 20, tables: 2, rowsPerSecond } })
  await source.prepare()
  const seen = collect(source, undefined, settle)
  await seen.until('the snapshot', isSnapshotDone)
  return { database, source, seen, first: seen.changes().length }
}

const isAnswered = (seen: Collected, id: string) => () =>
  seen.progress('item')?.answers.some((answer) => answer.id === id) === true

test('with a filter only those rows are published, and nothing is deleted', async () => {
  const { database, seen, first } = await streaming(100)
  seen.topics.records.get('item')!.push({ key: '999', version: OLD, deleted: false })
  const id = await ask(database, 'item', [
    { field: 'id', op: '>', value: '40' },
    { field: 'note', op: '!=', value: 'note 44' },
    { field: 'n', op: '<=', value: '45' },
  ])
  await seen.until('the answer', isAnswered(seen, id))
  const asked = seen.changes().slice(first)
  expect(asked.map(({ op, key }) => [op, key])).toEqual(['41', '42', '43', '45'].map((key) => ['snapshot', key]))
  expect(seen.progress('item')).toMatchObject({ running: null, answers: [{ id, rows: 4, problem: null }] })
})

test('a whole one puts a topic right that was damaged by hand: an old version last, a key that the table has not', async () => {
  const { database, seen } = await streaming(100)
  const records = seen.topics.records.get('item')!
  records.push({ key: '5', version: OLD, deleted: false }, { key: '999', version: OLD, deleted: false })
  const id = await ask(database, 'item')
  await seen.until('the answer', isAnswered(seen, id))
  const last = new Map(records.map((record) => [record.key, record]))
  for (const { key, version } of records)
    expect(compareVersions(version, last.get(key)!.version)).toBeLessThanOrEqual(0)
  expect(last.get('5')).toMatchObject({ deleted: false })
  expect(last.get('999')).toMatchObject({ deleted: true })
  expect(records.filter(({ deleted }) => deleted).length).toBe(1)
})

test('requests that come together are carried out one after the other; a bad one is answered with what is right', async () => {
  const { database, seen, first } = await streaming(50)
  const ids = await Promise.all([ask(database, 'item'), ask(database, 'item', [{ field: 'id', op: '=', value: '3' }])])
  const bad = await ask(database, 'item', [{ field: 'colour', op: '=', value: 'red' }])
  for (const id of [...ids, bad]) await seen.until('the answer', isAnswered(seen, id))
  expect(seen.changes().length - first).toBe(51)
  expect(seen.progress('item')!.answers.find(({ id }) => id === bad)).toMatchObject({
    rows: 0,
    problem: expect.stringContaining('Its fields: id, n, note'),
  })
})

test('a request whose message comes again after a crash is carried out once, even when it was answered', async () => {
  const { database, source, seen } = await streaming(50, false)
  const id = await ask(database, 'item')
  await seen.until('the answer', isAnswered(seen, id))
  await database.sql`UPDATE item SET n = -1 WHERE id = 1`
  await seen.until('the update', hasChange('1', 'update'))
  await seen.stop()
  // Nothing was acknowledged: the log shows the message again.
  const again = collect(source, seen.topics)
  await again.until('the update', hasChange('1', 'update'))
  await database.sql`UPDATE item SET n = -1 WHERE id = 2`
  await again.until('the next update', hasChange('2', 'update'))
  expect(again.progress('item')).toMatchObject({ running: null, answers: [{ id, rows: 50 }] })
  expect(again.changes().map(({ op }) => op)).toEqual(['update', 'update'])
})

test('killed in the middle of a snapshot on demand, capture goes on with it and answers it', async () => {
  const { database, source, seen } = await streaming(150, true, 60)
  const id = await ask(database, 'item')
  await seen.until('a part of it', () => (seen.progress('item')?.running?.rowsDone ?? 0) >= 60)
  await seen.stop()
  const { running } = seen.progress('item')!
  expect(running).toMatchObject({ id, rowsRead: false })
  await database.sql`DELETE FROM item WHERE id IN (2, 149)`
  const again = collect(source, seen.topics)
  await again.until('the answer', isAnswered(again, id))
  await again.until('the delete', hasChange('149', 'delete'))
  expect(again.changes().filter(({ op }) => op === 'snapshot').length).toBeLessThanOrEqual(150 - running!.rowsDone + 20)
  const all = [...seen.events, ...again.events]
  expectVersionsToRise(all)
  expect(topicOf(all)).toEqual(await tableOf(database))
})

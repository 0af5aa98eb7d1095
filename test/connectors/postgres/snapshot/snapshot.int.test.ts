import { expect, test } from 'vitest'
import type { SnapshotProgress, SourceEvent } from '../../../../connectors/source.ts'
import { expectVersionsToRise, ITEM, items, NOTE, startWriters, tableOf, topicOf, withoutSnapshots } from '../items.ts'
import { collect, createTopics, entityOf, hasChange, isSnapshotDone, sourceFor, until } from '../own-database.ts'

test('snapshot and stream beside random writers add up to exactly the table', async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
  console.info(`SEED=${seed}`)
  const database = await items(400)
  const writers = startWriters(database, 4, seed)
  const source = sourceFor(database, [ITEM], { snapshot: { chunkRows: 20, tables: 1 } })
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  const before = writers.transactions()
  await until('the writers went on after the snapshot', () => writers.transactions() > before + 50)
  await writers.stop()
  await database.sql`INSERT INTO item VALUES (100000, 1, 'last')`
  await seen.until('the last row', hasChange('100000'))
  expectVersionsToRise(seen.events)
  expect(topicOf(seen.events)).toEqual(await tableOf(database))
  const deltas = seen.changes().filter((change) => change.op !== 'snapshot')
  expect(deltas.length).toBeGreaterThan(50)
})

test('killed in mid-snapshot: the next run goes on after the last chunk under a new point, and what changed meanwhile is right', async () => {
  const database = await items(300)
  const { sql } = database
  const topics = createTopics()
  const first = sourceFor(database, [ITEM], { snapshot: { chunkRows: 50, tables: 1 } })
  await first.prepare()
  const published: SourceEvent[] = []
  const abort = new AbortController()
  for await (const batch of first.events(topics.context(), abort.signal)) {
    published.push(...batch)
    for (const event of batch) topics.take(event)
    if (published.filter((event) => event.kind === 'change').length >= 100) abort.abort()
  }
  await first.close()
  const read = published.filter((event) => event.kind === 'change').length
  expect(read).toBeLessThan(300)
  // One row of what was read and one of what was not, deleted and changed.
  await sql`DELETE FROM item WHERE id IN (1, 298)`
  await sql`UPDATE item SET n = -1 WHERE id IN (2, 299)`
  const second = sourceFor(database, [ITEM], { snapshot: { chunkRows: 50, tables: 1 } })
  await second.prepare()
  const seen = collect(second, topics)
  await seen.until('the snapshot', isSnapshotDone)
  const all = [...published, ...seen.events]
  expectVersionsToRise(all)
  expect(topicOf(all)).toEqual(await tableOf(database))
  const rows = seen.changes().filter(({ op }) => op === 'snapshot').length
  expect(rows).toBeGreaterThan(0)
  expect(read + rows).toBeLessThanOrEqual(299 + 50)
})

test('every row of a snapshot has the point as its version, and each commit is on one side of it', async () => {
  const database = await items(3)
  const source = sourceFor(database, [ITEM])
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  await database.sql`UPDATE item SET n = 0 WHERE id = 1`
  await seen.until('the update', hasChange('1', 'update'))
  const point = BigInt(seen.progress('item')!.whole!.position)
  for (const change of seen.changes())
    if (change.op === 'snapshot') {
      expect(change.version).toEqual({ epoch: 1n, position: point, ordinal: -1 })
      expect(change).toMatchObject({ changed: null, source: { transaction: null, object: 'public.item' } })
    } else expect(change.version.position).toBeGreaterThanOrEqual(point)
  expect(seen.changes().map((change) => change.op)).toEqual(['snapshot', 'snapshot', 'snapshot', 'update'])
})

test('an entity added later is snapshotted in the middle of the stream of the others', async () => {
  const database = await items(10)
  await database.sql`CREATE TABLE note (id int PRIMARY KEY, text text)`
  await database.sql`INSERT INTO note SELECT g, 'text ' || g FROM generate_series(1, 10) g`
  const first = sourceFor(database, [ITEM])
  await first.prepare()
  const before = collect(first)
  await before.until('the snapshot', isSnapshotDone)
  await before.stop()
  await first.close()
  await database.sql`UPDATE item SET n = 100 WHERE id = 1`
  const second = sourceFor(database, [ITEM, NOTE])
  await second.prepare()
  const seen = collect(second, before.topics)
  await seen.until('the snapshot', isSnapshotDone)
  await database.sql`UPDATE item SET n = 101 WHERE id = 1`
  await database.sql`UPDATE note SET text = 'new' WHERE id = 1`
  await seen.until('the update', (events) => topicOf(events, 'note').get('1')?.text === 'new')
  expect(
    seen
      .changes()
      .filter((change) => change.entity === 'item')
      .map((change) => change.op),
  ).toEqual(['update', 'update'])
  expect(seen.changes().filter((change) => change.op === 'snapshot').length).toBe(10)
  expect([...seen.topics.values.keys()].sort()).toEqual(['history', 'snapshot/item', 'snapshot/note'])
})

test('a field added later is snapshotted, and changes from before its column existed do not stop capture', async () => {
  const database = await items(5)
  const narrow = entityOf('item', { id: 'int32', n: 'int64' })
  const first = sourceFor(database, [narrow])
  await first.prepare()
  const before = collect(first)
  await before.until('the snapshot', isSnapshotDone)
  await before.stop()
  await first.close()
  await database.sql`UPDATE item SET n = 100 WHERE id = 1`
  await database.sql`ALTER TABLE item ADD colour text DEFAULT 'red'`
  const wide = entityOf('item', { id: 'int32', n: 'int64', colour: 'string' })
  const second = sourceFor(database, [wide])
  await second.prepare()
  const seen = collect(second, before.topics)
  await seen.until('the snapshot', isSnapshotDone)
  const events = seen.events.flatMap((event) => (event.kind === 'change' ? [event] : []))
  expect(events[0]).toMatchObject({ change: { op: 'update', key: '1', changed: ['n'] }, missing: ['colour'] })
  expect(events.slice(1).map((event) => event.change.op)).toEqual(Array(5).fill('snapshot'))
  expect(seen.progress('item')!.whole!.fields).toEqual(
    ['id', 'n', 'colour'].map((name) => expect.stringContaining(`${name}=public.item.${name}@`)),
  )
})

test('a snapshot waits for open transactions, says so, and does not lose them', async () => {
  const database = await items(2)
  const notices: string[] = []
  const source = sourceFor(database, [ITEM], { onNotice: (notice) => notices.push(notice.code) })
  await source.prepare()
  const begun = collect(source)
  await begun.until('the snapshot', isSnapshotDone)
  await begun.stop()
  // The slot exists; only the point has to be taken, with a transaction open.
  const writing = Promise.withResolvers<void>()
  const wrote = Promise.withResolvers<void>()
  const open = database.sql.begin(async (tx) => {
    await tx`UPDATE item SET n = 7 WHERE id = 1`
    wrote.resolve()
    await writing.promise
  })
  await wrote.promise
  const seen = collect(source, withoutSnapshots(begun.topics))
  await until('the notice', () => notices.includes('slot-waits'))
  await database.sql`UPDATE item SET n = 8 WHERE id = 2`
  expect(seen.changes()).toEqual([])
  writing.resolve()
  await open
  await seen.until('the snapshot', isSnapshotDone)
  await seen.until('both', (events) => topicOf(events).get('1')?.n === 7n && topicOf(events).get('2')?.n === 8n)
  expectVersionsToRise(seen.events)
})

test('progress is told from an estimate to the exact end', async () => {
  const database = await items(1000)
  const told: SnapshotProgress[] = []
  const source = sourceFor(database, [ITEM], {
    onSnapshotProgress: (progress) => told.push(progress),
    snapshot: { chunkRows: 10, tables: 1 },
  })
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  expect(told[0]).toMatchObject({ source: 'shop', entity: 'item', rowsDone: 0, rowsEstimated: 1000, done: false })
  expect(told.at(-1)).toMatchObject({ rowsDone: 1000, rowsEstimated: 1000, done: true })
  expect(told.filter((progress) => progress.done).length).toBe(1)
})

test('an idle database with empty tables finishes its snapshot', async () => {
  const database = await items(0)
  const source = sourceFor(database, [ITEM])
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  expect(seen.events.map((event) => event.kind)).toEqual(expect.arrayContaining(['state', 'progress']))
})

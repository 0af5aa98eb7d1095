import { expect, test } from 'vitest'
import type { SourceEvent } from '../../../../connectors/source.ts'
import { expectVersionsToRise, ITEM, items, NOTE, tableOf, topicOf, whenRangeAsked } from '../items.ts'
import { collect, createTopics, hasChange, isSnapshotDone, ownDatabase, sourceFor, until } from '../own-database.ts'

const keysOf = (events: readonly SourceEvent[], entity: string) => [...topicOf(events, entity).keys()].sort()

async function noted(rows: number) {
  const database = await items(rows)
  await database.sql`CREATE TABLE note (id int PRIMARY KEY, text text)`
  await database.sql`INSERT INTO note SELECT g, 'text ' || g FROM generate_series(1, ${rows}::int) g`
  return database
}

test('a table that is emptied between two segments of its snapshot ends as it is', async () => {
  const database = await items(120)
  const source = sourceFor(database, [ITEM], { snapshot: { chunkRows: 10, tables: 1, rowsPerSecond: 50 } })
  await source.prepare()
  const seen = collect(source)
  await until('a part is read', () => (seen.progress('item')?.running?.rowsDone ?? 0) >= 50)
  await database.sql.begin(async (tx) => {
    await tx`INSERT INTO item VALUES (500, 0, 'emptied')`
    await tx`TRUNCATE item`
    await tx`INSERT INTO item VALUES (1, 0, 'below the border'), (110, 0, 'above it')`
  })
  await seen.until('the snapshot', isSnapshotDone)
  expectVersionsToRise(seen.events)
  expect(topicOf(seen.events)).toEqual(await tableOf(database))
})

test('a table that is emptied after the point and before it is read ends as it is', async () => {
  const database = await noted(10)
  const source = sourceFor(database, [ITEM, NOTE], { snapshot: { chunkRows: 100, tables: 1 } })
  await source.prepare()
  const topics = createTopics()
  topics.records.set('note', [{ key: '77', version: { epoch: 1n, position: 1n, ordinal: 0 }, deleted: false }])
  let isEmptied = false
  const seen = collect(
    source,
    whenRangeAsked(topics, async () => {
      if (isEmptied) return
      isEmptied = true
      await database.sql`TRUNCATE note`
      await database.sql`INSERT INTO note VALUES (3, 'later')`
    }),
  )
  await seen.until('the snapshot', isSnapshotDone)
  await seen.until('the row', (events) => keysOf(events, 'note').includes('3'))
  expectVersionsToRise(seen.events)
  expect(keysOf(seen.events, 'note')).toEqual(['3'])
  expect(topics.records.get('note')!.findLast(({ key }) => key === '77')).toMatchObject({ deleted: true })
})

test('several tables emptied by one statement with CASCADE, beside inserts of the same transaction', async () => {
  const database = await noted(70)
  await database.sql`ALTER TABLE note ADD FOREIGN KEY (id) REFERENCES item`
  const source = sourceFor(database, [ITEM, NOTE])
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  await database.sql.begin(async (tx) => {
    await tx`INSERT INTO item VALUES (200, 0)`
    await tx`INSERT INTO note VALUES (200, 'emptied')`
    await tx`TRUNCATE item CASCADE`
    await tx`INSERT INTO item VALUES (2, 0), (201, 0)`
    await tx`INSERT INTO note VALUES (2, 'again')`
  })
  await database.sql`INSERT INTO note VALUES (201, 'later')`
  await seen.until('the last row', hasChange('201'))
  await seen.until('both', (events) => keysOf(events, 'note').includes('201'))
  expectVersionsToRise(seen.events)
  expect(keysOf(seen.events, 'item')).toEqual(['2', '201'])
  expect(keysOf(seen.events, 'note')).toEqual(['2', '201'])
})

test('a partitioned table that is emptied by its root', async () => {
  const database = await ownDatabase()
  const { sql } = database
  await sql`CREATE TABLE note (id int PRIMARY KEY, text text) PARTITION BY RANGE (id)`
  await sql`CREATE TABLE note_low PARTITION OF note FOR VALUES FROM (0) TO (6)`
  await sql`CREATE TABLE note_high PARTITION OF note FOR VALUES FROM (6) TO (100)`
  await sql`INSERT INTO note SELECT g, 'text' FROM generate_series(1, 10) g`
  const source = sourceFor(database, [NOTE])
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  await sql`TRUNCATE note`
  await sql`INSERT INTO note VALUES (50, 'later')`
  await seen.until('the row', hasChange('50'))
  expect(keysOf(seen.events, 'note')).toEqual(['50'])
  expectVersionsToRise(seen.events)
})

test('killed while the keys of an emptied table are deleted, capture deletes the rest when it comes again', async () => {
  const database = await items(300)
  const source = sourceFor(database, [ITEM])
  await source.prepare()
  const before = collect(source)
  await before.until('the snapshot', isSnapshotDone)
  await before.stop()
  await database.sql.begin(async (tx) => {
    await tx`INSERT INTO item VALUES (400, 0)`
    await tx`TRUNCATE item`
    await tx`INSERT INTO item VALUES (7, 7, 'again')`
  })
  const { topics } = before
  const events: SourceEvent[] = []
  // What a killed process had published; nothing of it was acknowledged.
  for await (const batch of source.events(topics.context(), new AbortController().signal)) {
    for (const event of batch) topics.take(event)
    events.push(...batch)
    if (events.filter((event) => event.kind === 'change' && event.change.op === 'delete').length >= 100) break
  }
  expect(hasChange('7', 'create')(events)).toBe(false)
  await database.sql`INSERT INTO item VALUES (8, 8, 'later')`
  const again = collect(source, topics)
  await again.until('the last row', hasChange('8', 'create'))
  const all = [...before.events, ...events, ...again.events]
  expect(topicOf(all)).toEqual(await tableOf(database))
  expectVersionsToRise(again.events)
})

import { expect, test } from 'vitest'
import { keyOrder } from '../../../../connectors/postgres/snapshot/read-chunk.ts'
import { collect, createTopics, entityOf, isSnapshotDone, ownDatabase, sourceFor } from '../own-database.ts'
import { locate, sessionOf } from './snapshot-reading.ts'

// A place in a table is one in an order: in another order, rows that were not read may lie before it.

const SLOW = { chunkRows: 10, tables: 1, rowsPerSecond: 30 }

const CHANGES: readonly (readonly [string, string])[] = [
  ['the columns of the key change places', 'ALTER TABLE item DROP CONSTRAINT item_pkey, ADD PRIMARY KEY (b, a)'],

  ['a column of the key is sorted otherwise', 'ALTER TABLE item ALTER a TYPE text COLLATE by_number'],
]

for (const [title, change] of CHANGES)
  test(`no row is passed over when ${title} while a snapshot is under way`, async () => {
    const database = await ownDatabase()
    const { sql } = database
    await sql`CREATE COLLATION by_number (provider = icu, locale = 'und-u-co-standard-kn-true')`
    await sql`CREATE TABLE item (a text COLLATE "C", b int, PRIMARY KEY (a, b))`
    // By letters 100 … 109 come before 11, by numbers after 99.
    await sql`INSERT INTO item SELECT g::text, 121 - g FROM generate_series(1, 120) g`
    const entity = entityOf('item', { a: 'string', b: 'int32' }, ['a', 'b'])
    const source = sourceFor(database, [entity], { snapshot: SLOW })
    await source.prepare()
    const topics = createTopics()
    const seen = collect(source, topics)
    await seen.until('a part is read', () => (seen.progress('item')?.running?.rowsDone ?? 0) >= 60)
    await seen.stop()
    await source.close()
    expect(seen.progress('item')?.running).toMatchObject({ rowsRead: false })
    await sql.unsafe(change)
    const next = sourceFor(database, [entity], { snapshot: { chunkRows: 100, tables: 1 } })
    await next.prepare()
    const again = collect(next, topics)
    await again.until('the snapshot', isSnapshotDone)
    const keys = new Set(topics.records.get('item')!.map(({ key }) => key))
    expect(keys.size).toBe(120)
  })

test('the order is the one that a held table has now, not the one of when the snapshot was taken', async () => {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE item (id text COLLATE "C", n int, at timestamptz, PRIMARY KEY (n, id, at))`
  const item = await locate(
    database,
    entityOf('item', { id: 'string', n: 'int32', at: 'timestamptz' }, ['id', 'n', 'at']),
  )
  const session = await sessionOf(database)
  const other = await sessionOf(database)
  const before = await keyOrder(session, item.table, item.plan, item.facts)
  expect(before.map((text) => text.split(' ')[0])).toEqual(['n', 'id', 'at'])
  expect(await keyOrder(session, item.table, item.plan, item.facts)).toEqual(before)
  await session.end()
  await database.sql`ALTER TABLE item ALTER id TYPE text COLLATE "POSIX"`
  const after = await keyOrder(other, item.table, item.plan, item.facts)
  expect(after[0]).toBe(before[0])
  expect(after[1]).not.toBe(before[1])
})

import { expect, test } from 'vitest'
import { collect, createTopics, entityOf, hasChange, ownDatabase, sourceFor } from './own-database.ts'

test('a key that its type refuses, or another writing of a key, has no row, and the others are found', async () => {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE thing (id bigint PRIMARY KEY, title text)`
  await database.sql`INSERT INTO thing SELECT i, 'title ' || i FROM generate_series(1, 1000) i`
  const source = sourceFor(database, [entityOf('thing', { id: 'int64', title: 'string' })])
  const asked = ['7', '007', ' 8', 'x', '', '9223372036854775808', '!key-too-long/5/0', '\u0000', '1e3', '1000']
  const rows = await source.hydrate('thing', asked, ['title'], [])
  expect([...rows]).toEqual([
    ['7', { title: 'title 7' }],
    ['1000', { title: 'title 1000' }],
  ])
  const many = Array.from({ length: 600 }, (_, index) => (index % 7 === 0 ? `bad ${index}` : String(index)))
  expect((await source.hydrate('thing', many, ['title'], [])).size).toBe(514)
  await source.close()
})

test('what was read is on the disk of the server, and the next mark tells how far', async () => {
  const database = await ownDatabase()
  const { sql } = database
  await sql`CREATE TABLE thing (id bigint PRIMARY KEY, title text)`
  const source = sourceFor(database, [entityOf('thing', { id: 'int64', title: 'string' })])
  await source.prepare()
  const seen = collect(source, createTopics(), false)
  await sql`INSERT INTO thing VALUES (1, 'a')`
  await seen.until('it', hasChange('1'))
  // The log of an open transaction is in nobody's hurry.
  const open = await sql.reserve()
  try {
    await open`BEGIN`
    await open`SET LOCAL synchronous_commit = off`
    await open`INSERT INTO thing VALUES (2, 'b')`
    const [end] = await sql<{ at: string }[]>`SELECT pg_current_wal_insert_lsn()::text AS at`
    await source.hydrate('thing', ['1'], ['title'], [null])
    const [row] = await sql`SELECT pg_current_wal_flush_lsn() >= ${end!.at}::pg_lsn AS flushed`
    expect(row!.flushed).toBe(true)
  } finally {
    await open`ROLLBACK`
    open.release()
  }
  const before = seen.events.length
  await sql`INSERT INTO thing VALUES (3, 'c')`
  await seen.until('the next', hasChange('3'))
  await seen.until('its place', (events) => events.slice(before).some(({ kind }) => kind === 'progress'))
  const last = seen.events.findLast((event) => event.kind === 'progress')
  await source.hydrate('thing', ['3'], ['title'], [null])
  await sql`INSERT INTO thing VALUES (4, 'd')`
  await source.hydrate('thing', ['4'], ['title'], [null])
  expect(last).toMatchObject({ mark: expect.stringMatching(/\/read\/\d+$/) })
})

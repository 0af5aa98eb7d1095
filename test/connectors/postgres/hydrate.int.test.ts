import { expect, test } from 'vitest'
import { entityOf, ownDatabase, sourceFor } from './own-database.ts'

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

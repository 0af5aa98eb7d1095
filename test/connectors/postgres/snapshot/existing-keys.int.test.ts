import { expect, test } from 'vitest'
import { existingKeys } from '../../../../connectors/postgres/snapshot/existing-keys.ts'
import { formatKey } from '../../../../schemas/key.ts'
import { entityOf, ownDatabase } from '../own-database.ts'
import { locate, sessionOf } from './snapshot-reading.ts'

const NO_TEXT = ['a\0b', '\0', 'half \ud800']

test('a key that PostgreSQL cannot hold as text is not in the table, and the others are found', async () => {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE item (id text PRIMARY KEY)`
  await database.sql`CREATE TABLE line (item text, at text, PRIMARY KEY (item, at))`
  await database.sql`INSERT INTO item VALUES ('a'), ('b'), ('half ' || chr(65533))`
  await database.sql`INSERT INTO line VALUES ('a', '1')`
  const session = await sessionOf(database)
  const item = await locate(database, entityOf('item', { id: 'string' }))
  expect([...(await existingKeys(session, item.table, ['a', ...NO_TEXT, 'x']))]).toEqual(['a'])
  const line = await locate(database, entityOf('line', { item: 'string', at: 'string' }, ['item', 'at']))
  const keys = [['a', '1'], ...NO_TEXT.map((text) => ['a', text])].map(formatKey)
  expect([...(await existingKeys(session, line.table, keys))]).toEqual([keys[0]])
})

import { expect, test } from 'vitest'
import { collect, entityOf, hasChange, isSnapshotDone, ownDatabase, sourceFor } from '../own-database.ts'
import { again, CUSTOMER, streaming, TABLE, topic } from './altered-customer.ts'

test.each([
  [
    'made anew and published by nobody',
    `DROP TABLE customer; ${TABLE.replace("1, 'old'", "5, 'another'")}`,
    /made anew/,
  ],
  [
    'taken out of the publication',
    'ALTER PUBLICATION tributary DROP TABLE customer; DELETE FROM customer; INSERT INTO customer VALUES (5)',
    /out of the publication/,
  ],
])('a quiet table that is %s is noticed without a word in the log', async (_, ddl, reason) => {
  const database = await streaming(CUSTOMER, TABLE, { tableLookMs: 50 })
  const { sql, seen } = database
  await sql.unsafe(ddl)
  await seen.ended
  expect(seen.failure()).toMatchObject({ code: 'table-altered', message: expect.stringMatching(reason) })
  const next = await again(database, seen, CUSTOMER)
  await next.until('the sweep has deleted what is gone', hasChange('1', 'delete'))
  expect([...topic(seen, next).keys()]).toEqual(['1', '5'])
  expect(topic(next).get('1')).toBe('deleted')
})

test('a table that is dropped is told, and the others go on', async () => {
  const notices: string[] = []
  const database = await ownDatabase()
  const { sql } = database
  await sql.unsafe(`${TABLE}; CREATE TABLE other (id int PRIMARY KEY)`)
  const source = sourceFor(database, [CUSTOMER, entityOf('other', { id: 'int32' })], {
    tableLookMs: 50,
    onNotice: ({ code }) => notices.push(code),
  })
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot is done', isSnapshotDone)
  await sql`DROP TABLE customer`
  await seen.until('the notice', () => notices.includes('table-missing'))
  await sql`INSERT INTO other VALUES (7)`
  await seen.until('the row of the other table', hasChange('7'))
  expect(notices.filter((code) => code === 'table-missing')).toHaveLength(1)
})

test('a table made anew while nobody watched is snapshotted anew at the next start', async () => {
  const database = await streaming()
  const { sql, seen, source } = database
  await seen.stop()
  await source.close()
  await sql.unsafe(`DROP TABLE customer; ${TABLE.replace("1, 'old'", "5, 'another'")}`)
  const next = await again(database, seen, CUSTOMER)
  expect(next.changes()).toMatchObject([
    { op: 'snapshot', key: '5' },
    { op: 'delete', key: '1' },
  ])
})

import postgres from 'postgres'
import { expect, onTestFinished, test } from 'vitest'
import { startOwnPostgres } from '../../../support/servers/own-postgres.ts'
import { ITEM } from '../items.ts'
import { collect, hasChange, isSnapshotDone, sourceFor, until } from '../own-database.ts'

test('a snapshot for which there is no slot left does not stop the stream, and is taken when there is one', async () => {
  const server = await startOwnPostgres({ settings: { max_replication_slots: '2' } })
  onTestFinished(() => server.close())
  const sql = postgres(server.url, { max: 2, onnotice: () => {} })
  onTestFinished(() => sql.end({ timeout: 2 }))
  await sql`CREATE TABLE item (id int PRIMARY KEY, n bigint NOT NULL, note text)`
  await sql`INSERT INTO item SELECT g, g FROM generate_series(1, 10) g`
  await sql`SELECT pg_create_logical_replication_slot('of_others', 'pgoutput')`
  const told: string[] = []
  const source = sourceFor({ url: server.url, sql, slot: 'shop' }, [ITEM], { onNotice: ({ code }) => told.push(code) })
  await source.prepare()
  const seen = collect(source)
  await until('the notice', () => {
    if (seen.failure()) throw seen.failure()
    return told.includes('snapshot-without-room')
  })
  await sql`INSERT INTO item VALUES (11, 11)`
  await seen.until('the change', hasChange('11', 'create'))
  expect(seen.changes().filter(({ op }) => op === 'snapshot')).toEqual([])
  await sql`SELECT pg_drop_replication_slot('of_others')`
  await seen.until('the snapshot', isSnapshotDone)
  expect(seen.changes().filter(({ op }) => op === 'snapshot').length).toBe(11)
})

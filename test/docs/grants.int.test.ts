import { randomBytes } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import type { Notice } from '../../connectors/postgres/notice.ts'
import { request } from '../../connectors/postgres/request.ts'
import {
  collect,
  createTopics,
  entityOf,
  hasChange,
  isSnapshotDone,
  ownDatabase,
  sourceFor,
  until,
} from '../connectors/postgres/own-database.ts'
import { blocksOf, readPages } from './pages.ts'

const ENTITY = entityOf('customers', { customer_id: 'int64', name: 'string' })

/** The statements that docs/sources/postgresql.md gives for the database, with names of this test. */
function setUp(database: string, role: string): string {
  const page = readPages().find(({ path }) => path === 'docs/sources/postgresql.md')!
  const block = blocksOf(page, 'sql').find((text) => text.startsWith('CREATE ROLE'))!
  return block
    .replaceAll(/\btributary_capture\b/g, role)
    .replaceAll(/\btributary_shop_erp\b/g, 'tributary')
    .replaceAll(/\bDATABASE shop\b/g, `DATABASE ${database}`)
}

test('the rights that the documentation lists suffice, where the server gives none to everyone', async () => {
  const database = await ownDatabase()
  const { sql } = database
  const { pathname } = new URL(database.url)
  const role = `capture_${randomBytes(5).toString('hex')}`
  onTestFinished(async () => {
    await sql.unsafe(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  })
  await sql.unsafe(`REVOKE ALL ON DATABASE ${pathname.slice(1)} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC;
    CREATE TABLE public.customers (customer_id bigint PRIMARY KEY, name text);
    INSERT INTO customers VALUES (1, 'Ada'), (2, 'Bob')`)
  await sql.unsafe(setUp(pathname.slice(1), role))
  const url = new URL(database.url)
  url.username = role
  url.password = encodeURIComponent('change me')

  const topics = createTopics()
  const notices: Notice[] = []
  let heard = 0
  const open = () =>
    sourceFor({ ...database, url: url.href }, [ENTITY], {
      heartbeatMs: 1_000,
      onHeartbeat: () => heard++,
      onNotice: (notice) => notices.push(notice),
    })
  const source = open()
  expect(await source.plan()).toEqual([expect.stringContaining('create the replication slot')])
  await source.prepare()
  const first = collect(source, topics)
  await first.until('the snapshot is done', isSnapshotDone)
  await until('a heartbeat came back', () => heard > 0)
  await sql`UPDATE customers SET name = 'Eve' WHERE customer_id = 1`
  await first.until('the change is seen', hasChange('1', 'update'))
  await request(url.href, 'shop', [
    { kind: 'snapshot', slot: database.slot, id: 'again', entity: 'customers', where: [] },
  ])
  await until('the snapshot that was asked for is done', () =>
    first.progress('customers')!.answers.some(({ id, problem }) => id === 'again' && problem === null),
  )
  expect([...(await source.hydrate('customers', ['1'], ['name'], [null])).values()]).toEqual([{ name: 'Eve' }])
  expect(await source.status()).toMatchObject({ active: true, slot: 'streaming', retainedBytes: expect.any(Number) })
  await first.stop()
  await source.close()

  await sql`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ${database.slot}`
  await sql`DELETE FROM customers WHERE customer_id = 2`
  const second = collect(open(), topics)
  await second.until('what vanished is deleted', hasChange('2', 'delete'))
  await second.stop()
  expect(notices.map(({ code }) => code)).toEqual(['history-lost'])
}, 60_000)

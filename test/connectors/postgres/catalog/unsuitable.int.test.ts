import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { expect, onTestFinished, test } from 'vitest'
import { collect, entityOf, isSnapshotDone, ownDatabase, sourceFor } from '../own-database.ts'

const CUSTOMER = entityOf('customer', { id: 'int64', name: 'string' })

test('every finding about tables comes in one error', async () => {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE keyless (id int NOT NULL, n text)`
  await database.sql`CREATE TABLE narrow (id int PRIMARY KEY)`
  await database.sql`CREATE VIEW seen AS SELECT 1 AS id`
  const source = sourceFor(database, [
    entityOf('absent', { id: 'int32' }),
    entityOf('keyless', { id: 'int32', n: 'int32' }),
    entityOf('narrow', { id: 'int32', colour: 'string' }),
    entityOf('seen', { id: 'int32' }),
  ])
  const error = await source.prepare().catch((raised: unknown) => raised as Error)
  expect(error).toMatchObject({ code: 'source-unsuitable', fate: 'stop' })
  for (const part of [
    'table public.absent does not exist',
    'column public.keyless.n is text',
    'the key ("id") of public.keyless is not unique',
    'table public.narrow has no column "colour"',
    'public.seen is not a table',
  ])
    expect((error as Error).message).toContain(part)
})

test('a role without rights is told what to grant; with them it captures, also without owning the tables', async () => {
  const database = await ownDatabase()
  const role = `tributary_role_${randomBytes(4).toString('hex')}`
  const { sql } = database
  await sql`CREATE TABLE customer (id bigint PRIMARY KEY, name text)`
  await sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'hunter2'`)
  const admin = postgres(process.env.TRIBUTARY_POSTGRES_URL!, { max: 1, onnotice: () => {} })
  onTestFinished(async () => {
    await admin.unsafe(`DROP ROLE IF EXISTS ${role}`)
    await admin.end()
  })
  const url = new URL(database.url)
  url.username = role
  url.password = 'hunter2'
  onTestFinished(async () => {
    const owner = postgres(database.url, { max: 1, onnotice: () => {} })
    await owner.unsafe(`DROP OWNED BY ${role}`)
    await owner.end()
  })
  const source = sourceFor({ ...database, url: url.href }, [CUSTOMER])
  const first = (await source.prepare().catch((raised: unknown) => raised)) as Error
  expect(first.message).toContain(`ALTER ROLE "${role}" REPLICATION`)
  expect(first.message).toContain(`GRANT SELECT ON "public"."customer" TO "${role}"`)
  expect(first.message).not.toContain('hunter2')
  await sql.unsafe(`ALTER ROLE ${role} REPLICATION; GRANT SELECT ON customer TO ${role}`)
  const second = (await source.prepare().catch((raised: unknown) => raised)) as Error
  expect(second).toMatchObject({
    code: 'source-unsuitable',
    message: expect.stringContaining('CREATE PUBLICATION "tributary"'),
  })
  expect(await source.plan()).toEqual([
    expect.stringContaining('CREATE PUBLICATION "tributary" FOR TABLE "public"."customer"'),
    expect.stringContaining('create the replication slot'),
  ])
  await sourceFor(database, [CUSTOMER]).prepare()
  await source.prepare()
  await sql`INSERT INTO customer VALUES (1, 'Ann')`
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  expect(seen.changes().map((change) => change.key)).toEqual(['1'])
  expect(await source.plan()).toEqual([])
  await seen.stop()
  await source.close()
})

test('a publication that exists is completed, and refused when it publishes too little', async () => {
  const database = await ownDatabase()
  const { sql } = database
  await sql`CREATE TABLE customer (id bigint PRIMARY KEY, name text)`
  await sql`CREATE TABLE other (id bigint PRIMARY KEY)`
  await sql`CREATE PUBLICATION tributary FOR TABLE other WITH (publish = 'insert, update')`
  const source = sourceFor(database, [CUSTOMER])
  await expect(source.prepare()).rejects.toMatchObject({
    message: expect.stringContaining('does not publish delete, truncate'),
  })
  const tables = await sql`SELECT tablename FROM pg_publication_tables WHERE pubname = 'tributary' ORDER BY 1`
  expect(tables.map((row) => row.tablename)).toEqual(['customer', 'other'])
  await sql`ALTER PUBLICATION tributary SET (publish = 'insert, update, delete, truncate')`
  await source.prepare()
  await source.prepare()
  await sql`ALTER PUBLICATION tributary SET TABLE customer (id) WHERE (id > 5)`
  await expect(source.prepare()).rejects.toMatchObject({
    message: expect.stringMatching(/leaves out rows[\s\S]*leaves out "name"/),
  })
})

test('a slot of another plug-in is refused, and stored generated columns are published', async () => {
  const database = await ownDatabase()
  const { sql } = database
  await sql`CREATE TABLE customer (id bigint PRIMARY KEY, first text, name text GENERATED ALWAYS AS (first || '!') STORED)`
  await sql`SELECT pg_create_logical_replication_slot(${database.slot}, 'test_decoding')`.catch(
    () => sql`SELECT pg_create_physical_replication_slot(${database.slot})`,
  )
  onTestFinished(async () => {
    const admin = postgres(process.env.TRIBUTARY_POSTGRES_URL!, { max: 1 })
    await admin`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ${database.slot} AND NOT active`
    await admin.end()
  })
  const source = sourceFor(database, [CUSTOMER])
  await expect(source.prepare()).rejects.toMatchObject({
    code: 'source-unsuitable',
    message: expect.stringContaining('something else'),
  })
  await sql`SELECT pg_drop_replication_slot(${database.slot})`
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  await sql`INSERT INTO customer (id, first) VALUES (1, 'a')`
  await seen.until('the row', (events) => events.some((event) => event.kind === 'change'))
  expect(seen.changes()).toMatchObject([{ after: { id: 1n, name: 'a!' } }])
})

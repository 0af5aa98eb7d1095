import { expect, test } from 'vitest'
import type { Change } from '../../../../schemas/delta.ts'
import { compareVersions, type Version } from '../../../../schemas/version.ts'
import { collect, entityOf, hasChange, isSnapshotDone, ownDatabase, sourceFor } from '../own-database.ts'

const CUSTOMER = entityOf('customer', { id: 'int64', name: 'string', email: 'string' })

/** A database with a customer table, captured, its (empty) snapshot done. */
async function streaming(identity: 'FULL' | 'DEFAULT' = 'FULL', entities = [CUSTOMER]) {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE customer (id bigint PRIMARY KEY, name text, email text, internal text)`
  await database.sql.unsafe(`ALTER TABLE customer REPLICA IDENTITY ${identity}`)
  const source = sourceFor(database, entities)
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot is done', isSnapshotDone)
  return { ...database, source, seen }
}

const short = (change: Change) =>
  change.op === 'delete' ? [change.op, change.key] : [change.op, change.key, change.changed, change.after]

test('inserts, updates and deletes become changes with the whole row', async () => {
  const { sql, seen } = await streaming()
  await sql`INSERT INTO customer VALUES (1, 'Ann', 'ann@example.org', 'x')`
  await sql`UPDATE customer SET email = NULL WHERE id = 1`
  await sql`DELETE FROM customer WHERE id = 1`
  await seen.until('the delete', hasChange('1', 'delete'))
  expect(seen.changes().map(short)).toEqual([
    ['create', '1', ['id', 'name', 'email'], { id: 1n, name: 'Ann', email: 'ann@example.org' }],
    ['update', '1', ['email'], { id: 1n, name: 'Ann', email: null }],
    ['delete', '1'],
  ])
  const [first] = seen.changes()
  expect(first!.source).toMatchObject({ system: 'postgres', instance: 'shop', object: 'public.customer' })
  expect(first!.source.position).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/)
  const [{ at }] = (await sql`SELECT (extract(epoch FROM now()) * 1000000)::bigint::text AS at`) as unknown as [
    { at: string },
  ]
  expect(BigInt(at) - first!.source.committedAt).toBeLessThan(60_000_000n)
})

test('a key change is a delete of the old key and a create of the new one, in this order', async () => {
  const { sql, seen } = await streaming('DEFAULT')
  await sql`INSERT INTO customer VALUES (1, 'Ann', NULL), (2, 'Bob', NULL)`
  await sql`UPDATE customer SET id = 3 WHERE id = 1`
  await sql`UPDATE customer SET name = 'Rob' WHERE id = 2`
  await seen.until('the update', hasChange('2', 'update'))
  expect(seen.changes().map(short)).toEqual([
    ['create', '1', ['id', 'name', 'email'], { id: 1n, name: 'Ann', email: null }],
    ['create', '2', ['id', 'name', 'email'], { id: 2n, name: 'Bob', email: null }],
    ['delete', '1'],
    ['create', '3', ['id', 'name', 'email'], { id: 3n, name: 'Ann', email: null }],
    ['update', '2', null, { id: 2n, name: 'Rob', email: null }],
  ])
  const [first, second, removed, created] = seen.changes().map((change) => change.version)
  expect([first!.ordinal, second!.ordinal]).toEqual([0, 2])
  expect([removed!.ordinal, created!.ordinal]).toEqual([0, 1])
  expect(created!.position).toBe(removed!.position)
})

test('changes to columns that are not declared are left out, yet counted in the ordinal', async () => {
  const { sql, seen } = await streaming()
  await sql`INSERT INTO customer VALUES (1, 'Ann', NULL, 'x')`
  await sql.begin(async (tx) => {
    await tx`UPDATE customer SET internal = 'y' WHERE id = 1`
    await tx`UPDATE customer SET name = 'Anne' WHERE id = 1`
  })
  await seen.until('the update', hasChange('1', 'update'))
  expect(seen.changes().map((change) => [change.op, change.version.ordinal])).toEqual([
    ['create', 0],
    ['update', 2],
  ])
})

test('rolled back work never shows: transactions, savepoints, failed statements', async () => {
  const { sql, seen } = await streaming()
  await sql.begin(async (tx) => {
    await tx`INSERT INTO customer (id, name) VALUES (1, 'kept')`
    await tx
      .savepoint((inner) =>
        inner`INSERT INTO customer (id, name) VALUES (2, 'gone')`.then(() => Promise.reject(new Error('back'))),
      )
      .catch(() => {})
    await tx`INSERT INTO customer (id, name) VALUES (3, 'kept')`
  })
  await sql.begin((tx) => tx`DELETE FROM customer`.then(() => Promise.reject(new Error('back')))).catch(() => {})
  await sql`INSERT INTO customer (id, name) VALUES (4, 'last')`
  await seen.until('the last row', hasChange('4'))
  expect(seen.changes().map((change) => [change.op, change.key])).toEqual([
    ['create', '1'],
    ['create', '3'],
    ['create', '4'],
  ])
})

test('interleaved transactions come in the order of their commits, and versions rise', async () => {
  const { sql, seen } = await streaming()
  const slow = Promise.withResolvers<void>()
  const wrote = Promise.withResolvers<void>()
  const early = sql.begin(async (tx) => {
    await tx`INSERT INTO customer (id, name) VALUES (1, 'began first')`
    wrote.resolve()
    await slow.promise
    await tx`INSERT INTO customer (id, name) VALUES (2, 'began first')`
  })
  await wrote.promise
  await sql`INSERT INTO customer (id, name) VALUES (3, 'committed first')`
  slow.resolve()
  await early
  await seen.until('the slow one', hasChange('2'))
  expect(seen.changes().map((change) => change.key)).toEqual(['3', '1', '2'])
  const versions = seen.changes().map((change) => change.version)
  for (let index = 1; index < versions.length; index++)
    expect(compareVersions(versions[index - 1]!, versions[index]!)).toBeLessThan(0)
  expect(new Set(seen.changes().map((change) => change.source.transaction)).size).toBe(2)
})

test('a COPY of many rows comes as one transaction over many batches', async () => {
  const { sql, seen } = await streaming()
  const copy = await sql`COPY customer (id, name) FROM STDIN`.writable()
  for (let id = 1; id <= 5000; id++) copy.write(`${id}\tname ${id} ${'x'.repeat(200)}\n`)
  await new Promise<void>((resolve, reject) => copy.on('error', reject).on('finish', resolve).end())
  await seen.until('the last row', hasChange('5000'))
  const changes = seen.changes()
  expect(changes.map((change) => change.key)).toEqual(Array.from({ length: 5000 }, (_, index) => String(index + 1)))
  expect(new Set(changes.map((change) => change.version.position)).size).toBe(1)
  expect(changes.at(-1)!.version.ordinal).toBe(9998)
})

test('a composite key is a JSON array, and names the row to hydrate', async () => {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE line ("order" text, "no" int, price numeric(10,2), PRIMARY KEY ("order", "no"))`
  const line = entityOf('line', { order: 'string', no: 'int32', price: 'decimal(10,2)' }, ['order', 'no'])
  const source = sourceFor(database, [line])
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  await database.sql`INSERT INTO line VALUES ('a "quoted\\" ü', 7, 1.5), ('b', 8, 2)`
  await seen.until('the row', hasChange('["b","8"]'))
  const key = JSON.stringify(['a "quoted\\" ü', '7'])
  expect(seen.changes().map((change) => change.key)).toEqual([key, '["b","8"]'])
  const rows = await source.hydrate(
    'line',
    [key, '["c","1"]', 'no key'],
    ['price', 'order'],
    [seen.changes()[0]!.source.transaction],
  )
  expect([...rows]).toEqual([[key, { price: '1.50', order: 'a "quoted\\" ü' }]])
})

test('a partitioned table is captured as one, a move between partitions included', async () => {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE customer (id bigint PRIMARY KEY, name text, email text) PARTITION BY RANGE (id)`
  await database.sql`CREATE TABLE customer_low PARTITION OF customer FOR VALUES FROM (0) TO (100)`
  await database.sql`CREATE TABLE customer_high PARTITION OF customer FOR VALUES FROM (100) TO (200)`
  await database.sql`INSERT INTO customer VALUES (1, 'low'), (101, 'high')`
  const source = sourceFor(database, [CUSTOMER])
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  await database.sql`UPDATE customer SET id = 150 WHERE id = 1`
  await seen.until('the move', hasChange('150'))
  expect(seen.changes().map((change) => [change.op, change.key, change.source.object])).toEqual([
    ['snapshot', '1', 'public.customer'],
    ['snapshot', '101', 'public.customer'],
    ['delete', '1', 'public.customer'],
    ['create', '150', 'public.customer'],
  ])
})

test('a column that is added in mid-stream is ignored; one that vanishes stops capture with its name', async () => {
  const { sql, seen } = await streaming()
  await sql`ALTER TABLE customer ADD note text DEFAULT 'n'`
  await sql`INSERT INTO customer (id, name) VALUES (1, 'after')`
  await seen.until('the row', hasChange('1'))
  await sql`ALTER TABLE customer DROP email`
  await sql`INSERT INTO customer (id, name) VALUES (2, 'lost')`
  await seen.ended
  expect(seen.failure()).toMatchObject({
    code: 'source-unsuitable',
    message: expect.stringContaining('public.customer.email'),
  })
  expect(seen.changes().map((change) => change.key)).toEqual(['1'])
})

test('a column whose type changes to one that does not fit stops capture; one that fits goes on', async () => {
  const { sql, seen } = await streaming()
  await sql`ALTER TABLE customer ALTER name TYPE varchar(50)`
  await sql`INSERT INTO customer (id, name) VALUES (1, 'fits')`
  await seen.until('the row', hasChange('1'))
  await sql`ALTER TABLE customer ALTER id TYPE numeric`
  await sql`INSERT INTO customer (id, name) VALUES (2, 'does not')`
  await seen.ended
  expect(seen.failure()).toMatchObject({
    code: 'source-unsuitable',
    message: expect.stringMatching(/customer\.id.*numeric/),
  })
})

test('a renamed table stops capture', async () => {
  const { sql, seen } = await streaming()
  await sql`ALTER TABLE customer RENAME TO client`
  await sql`INSERT INTO client (id, name) VALUES (1, 'x')`
  await seen.ended
  expect(seen.failure()).toMatchObject({
    code: 'source-unsuitable',
    message: expect.stringContaining('renamed to public.client'),
  })
})

test('TRUNCATE deletes what is alive on the topic, in its place among the changes', async () => {
  const { sql, seen } = await streaming()
  await sql`INSERT INTO customer (id, name) SELECT g, 'x' FROM generate_series(1, 120) g`
  await sql`DELETE FROM customer WHERE id = 7`
  await sql.begin(async (tx) => {
    await tx`INSERT INTO customer (id, name) VALUES (500, 'emptied too')`
    await tx`TRUNCATE customer`
    await tx`INSERT INTO customer (id, name) VALUES (1, 'again')`
  })
  await sql`INSERT INTO customer (id, name) VALUES (2, 'later')`
  await seen.until('the last row', (events) =>
    events.some(
      (event) =>
        event.kind === 'change' &&
        event.change.op === 'create' &&
        event.change.key === '2' &&
        event.change.after.name === 'later',
    ),
  )
  const last = new Map(seen.changes().map((change) => [change.key, change]))
  const alive = [...last.values()].flatMap((change) =>
    change.op === 'delete' ? [] : [[change.key, change.after.name]],
  )
  expect(alive).toEqual([
    ['1', 'again'],
    ['2', 'later'],
  ])
  const newest = new Map<string, Version>()
  for (const { key, version } of seen.changes()) {
    expect(compareVersions(newest.get(key) ?? { epoch: 0n, position: 0n, ordinal: 0 }, version)).toBeLessThan(0)
    newest.set(key, version)
  }
})

test('a value that does not fit its type goes to the side with key and reason, and the stream goes on', async () => {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE price (id text PRIMARY KEY, amount numeric)`
  const source = sourceFor(database, [entityOf('price', { id: 'string', amount: 'decimal(6,2)' })])
  await database.sql`INSERT INTO price VALUES ('old', 'NaN')`
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  await database.sql`INSERT INTO price VALUES ('nan', 'NaN'), ('wide', 12345.6), (${'k'.repeat(5000)}, 1), ('fine', 1)`
  await seen.until('the good row', hasChange('fine'))
  const refused = seen.events.flatMap((event) => (event.kind === 'unencodable' ? [event] : []))
  expect(refused.map((event) => [event.key, event.field, event.version.ordinal])).toEqual([
    ['old', 'amount', -1],
    ['nan', 'amount', 0],
    ['wide', 'amount', 2],
    [expect.stringMatching(/^!key-too-long\/\d+\/4$/), 'key', 4],
  ])
  for (const event of refused) expect(event.reason).not.toMatch(/12345/)
})

test('the origin of a replicated transaction is told', async () => {
  const { sql, seen } = await streaming()
  await sql`SELECT pg_replication_origin_create('tributary_test_erp')`.catch(() => {})
  await sql
    .begin(async (tx) => {
      await tx`SELECT pg_replication_origin_session_setup('tributary_test_erp')`
      await tx`INSERT INTO customer (id) VALUES (1)`
    })
    .catch(() => {})
  await seen.until('the row', hasChange('1'))
  expect(seen.changes()[0]!.origin).toBe('tributary_test_erp')
})

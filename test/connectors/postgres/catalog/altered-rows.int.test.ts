import { expect, test } from 'vitest'
import { entityOf, hasChange } from '../own-database.ts'
import { CUSTOMER, streaming, TABLE, topic } from './altered-customer.ts'

test('identities changed in mid-stream: full, default, nothing, index', async () => {
  const notices: string[] = []
  const { sql, seen } = await streaming(CUSTOMER, TABLE, { onNotice: ({ code }) => notices.push(code) })
  await sql`UPDATE customer SET name = 'full' WHERE id = 1`
  await sql`ALTER TABLE customer REPLICA IDENTITY DEFAULT`
  await sql`UPDATE customer SET name = 'default' WHERE id = 1`
  await sql`UPDATE customer SET id = 2 WHERE id = 1`
  await sql`ALTER TABLE customer REPLICA IDENTITY NOTHING`
  await expect(sql`UPDATE customer SET name = 'nothing'`).rejects.toThrow('does not have a replica identity')
  await expect(sql`DELETE FROM customer`).rejects.toThrow('does not have a replica identity')
  await sql`INSERT INTO customer VALUES (3, 'nothing')`
  await seen.until('the insert', hasChange('3'))
  await sql`ALTER TABLE customer REPLICA IDENTITY USING INDEX customer_pkey`
  await sql`UPDATE customer SET name = 'index' WHERE id = 3`
  await sql`DELETE FROM customer WHERE id = 2`
  await seen.until('the delete', hasChange('2', 'delete'))
  expect(
    seen
      .changes()
      .slice(1)
      .map((change) => [change.op, change.key, change.op === 'delete' ? null : change.changed]),
  ).toEqual([
    ['update', '1', ['name']],
    ['update', '1', null],
    ['delete', '1', null],
    ['create', '2', ['id', 'name', 'credit']],
    ['create', '3', ['id', 'name', 'credit']],
    ['update', '3', null],
    ['delete', '2', null],
  ])
  expect(notices).toContain('replica-identity-nothing')
})

test('rows whose key became nullable and null go to the side, and come back with a key', async () => {
  const entity = entityOf('customer', { id: 'int64', name: 'string' })
  const { sql, seen } = await streaming(
    entity,
    'CREATE TABLE customer (id bigint NOT NULL UNIQUE, name text); ALTER TABLE customer REPLICA IDENTITY FULL',
  )
  await sql.begin(async (tx) => {
    await tx`INSERT INTO customer VALUES (1, 'keyed')`
    await tx`ALTER TABLE customer ALTER id DROP NOT NULL`
    await tx`INSERT INTO customer VALUES (NULL, 'without')`
    await tx`UPDATE customer SET id = NULL WHERE id = 1`
    await tx`DELETE FROM customer WHERE name = 'without'`
    await tx`UPDATE customer SET id = 2 WHERE id IS NULL`
    await tx`ALTER TABLE customer ALTER id SET NOT NULL`
  })
  await seen.until('the row has a key again', hasChange('2'))
  expect(seen.changes().map(({ op, key }) => [op, key])).toEqual([
    ['create', '1'],
    ['delete', '1'],
    ['create', '2'],
  ])
  const refused = seen.events.flatMap((event) => (event.kind === 'unencodable' ? [event] : []))
  expect(refused.map(({ key, field }) => [key.split('/')[0], field])).toEqual([
    ['!key-null', 'key'],
    ['!key-null', 'key'],
  ])
})

test('an enum that gets a value nobody declared makes dead letters of its rows; a renamed one comes by its new name', async () => {
  const entity = entityOf('customer', { id: 'int64', mood: 'enum(sad,ok)', text: 'string' })
  const { sql, seen } = await streaming(
    entity,
    `CREATE TYPE mood AS ENUM ('sad', 'ok');
     CREATE TABLE customer (id bigint PRIMARY KEY, mood mood, text mood); ALTER TABLE customer REPLICA IDENTITY FULL`,
  )
  await sql`INSERT INTO customer VALUES (1, 'ok', 'ok')`
  await sql`ALTER TYPE mood ADD VALUE 'great'`
  await sql`INSERT INTO customer VALUES (2, 'ok', 'great'), (3, 'great', 'ok')`
  await sql`ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'`
  await sql`INSERT INTO customer VALUES (4, 'ok', 'blue')`
  await seen.until('the renamed value', hasChange('4'))
  expect([...topic(seen)]).toEqual([
    ['1', { id: 1n, mood: 'ok', text: 'ok' }],
    ['2', { id: 2n, mood: 'ok', text: 'great' }],
    ['4', { id: 4n, mood: 'ok', text: 'blue' }],
  ])
  expect(seen.events.filter(({ kind }) => kind === 'unencodable')).toMatchObject([{ key: '3', field: 'mood' }])
})

import { expect, test } from 'vitest'
import { entityOf, hasChange } from '../own-database.ts'
import { again, CUSTOMER, row, streaming, TABLE, topic } from './altered-customer.ts'

test('what changes no value of a declared column does not disturb: in one transaction with rows, and between', async () => {
  const { sql, seen } = await streaming()
  const harmless = [
    'ALTER TABLE customer ADD note text DEFAULT $$n$$',
    'ALTER TABLE customer DROP internal',
    'ALTER TABLE customer RENAME note TO remark',
    'ALTER TABLE customer ALTER name SET DEFAULT $$nobody$$',
    'ALTER TABLE customer ALTER name SET NOT NULL',
    'ALTER TABLE customer ALTER id TYPE bigint',
    'ALTER TABLE customer ALTER name TYPE text',
    'ALTER TABLE customer ALTER credit TYPE numeric(20,4)',
    'ALTER TABLE customer ADD CHECK (id > 0)',
    'CREATE INDEX ON customer (name)',
    'ALTER TABLE customer ALTER name DROP NOT NULL',
  ]
  let id = 10
  for (const statement of harmless)
    await sql.begin(async (tx) => {
      await tx.unsafe(`INSERT INTO customer (id, name) VALUES (${id++}, 'before')`)
      await tx.unsafe(statement)
      await tx.unsafe(`INSERT INTO customer (id, name) VALUES (${id++}, 'after')`)
    })
  await sql`INSERT INTO customer (id) VALUES (3000000000)`
  await sql`UPDATE customer SET name = 'new' WHERE id = 1`
  await seen.until('the last row', hasChange('1', 'update'))
  const rows = topic(seen)
  expect(rows.size).toBe(harmless.length * 2 + 2)
  expect(rows.get('3000000000')).toEqual(row(3_000_000_000n, 'nobody'))
  expect(rows.get('1')).toEqual(row(1n, 'new', '1.2345'))
  for (let at = 10; at < id; at++) expect(rows.get(String(at))).toEqual(row(BigInt(at), at % 2 ? 'after' : 'before'))
  expect(seen.changes().at(-1)).toMatchObject({ changed: ['name'] })
})

const STOPS: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'a declared column is dropped',
    'ALTER TABLE customer DROP name',
    'INSERT INTO customer (id) VALUES (3)',
    /from \w+\/\w+ on, column public\.customer\.name, which field name is read from, does not exist any more\. Now .*has no column "name"/,
  ],
  [
    'a declared column is renamed',
    'ALTER TABLE customer RENAME name TO title',
    'INSERT INTO customer (id) VALUES (3)',
    /customer\.name.*does not exist any more\. Now .*has no column "name"/,
  ],
  [
    'a key column is dropped',
    'ALTER TABLE customer DROP id',
    `INSERT INTO customer (name) VALUES ('x')`,
    /customer\.id.*does not exist any more/,
  ],
  [
    'a column gets a type that does not fit',
    'ALTER TABLE customer ALTER id TYPE text',
    `INSERT INTO customer (id) VALUES ('3')`,
    /customer\.id.*is text; int64 is read from.*Now/,
  ],
  [
    'the table is renamed',
    'ALTER TABLE customer RENAME TO client',
    'INSERT INTO client (id) VALUES (3)',
    /public\.customer was renamed to public\.client\. Now .*does not exist\. Create it, or correct the table/,
  ],
  [
    'the table is moved to another schema',
    'CREATE SCHEMA crm; ALTER TABLE customer SET SCHEMA crm',
    'INSERT INTO crm.customer (id) VALUES (3)',
    /public\.customer was renamed to crm\.customer\. Now/,
  ],
  [
    'the key is no longer unique',
    'ALTER TABLE customer DROP CONSTRAINT customer_pkey',
    'INSERT INTO customer (id) VALUES (3)',
    /the key \("id"\) of public\.customer is not unique.*Run: ALTER TABLE/,
  ],
  [
    'the primary key becomes another and the identity with it',
    'ALTER TABLE customer DROP CONSTRAINT customer_pkey, ADD UNIQUE (id), ALTER name SET NOT NULL, ADD PRIMARY KEY (name), REPLICA IDENTITY DEFAULT',
    `INSERT INTO customer (id, name) VALUES (3, 'x')`,
    /replica identity of public\.customer lacks the key.*Now.*Run: ALTER TABLE customer REPLICA IDENTITY FULL/,
  ],
]

test.each(STOPS)('%s: what was before is captured, then it stops with a sentence', async (_, ddl, after, sentence) => {
  const { sql, seen } = await streaming()
  await sql.begin(async (tx) => {
    await tx`INSERT INTO customer VALUES (2, 'before')`
    await tx.unsafe(ddl)
    await tx.unsafe(after)
  })
  await seen.ended
  expect(seen.failure()).toMatchObject({
    code: 'source-unsuitable',
    message: expect.stringMatching(new RegExp(sentence, 's')),
  })
  expect(
    seen
      .changes()
      .map(({ key }) => key)
      .slice(0, 2),
  ).toEqual(['1', '2'].slice(0, seen.changes().length))
  expect(seen.progress('customer')?.whole).not.toBeNull()
})

const HEALS: readonly (readonly [string, readonly string[], RegExp, ReadonlyMap<string, unknown>])[] = [
  [
    'a declared column is dropped and added again',
    ['ALTER TABLE customer DROP name; ALTER TABLE customer ADD name text'],
    /column public\.customer\.name.*was made anew or altered/,
    new Map([['1', row(1n, null, '1.2345')]]),
  ],
  [
    'a type is altered to one that rounds',
    ['ALTER TABLE customer ALTER credit TYPE numeric(10,2)'],
    /column public\.customer\.credit.*altered to another type/,
    new Map([['1', row(1n, 'old', '1.23')]]),
  ],
  [
    'a column is renamed and renamed back',
    [
      'ALTER TABLE customer RENAME name TO title',
      `INSERT INTO customer (id, title) VALUES (2, 'between')`,
      'ALTER TABLE customer RENAME title TO name',
    ],
    /customer\.name.*does not exist any more/,
    new Map([
      ['1', row(1n, 'old', '1.2345')],
      ['2', row(2n, 'between')],
    ]),
  ],
  [
    'a table is renamed and renamed back',
    [
      'ALTER TABLE customer RENAME TO client',
      `INSERT INTO client (id, name) VALUES (2, 'between')`,
      'ALTER TABLE client RENAME TO customer',
    ],
    /renamed to public\.client/,
    new Map([
      ['1', row(1n, 'old', '1.2345')],
      ['2', row(2n, 'between')],
    ]),
  ],
  [
    'a table is dropped and made anew',
    [
      `DROP TABLE customer; ${TABLE.replace("1, 'old'", "1, 'another'")}; ALTER PUBLICATION tributary ADD TABLE customer`,
    ],
    /dropped and made anew/,
    new Map([['1', row(1n, 'another', '1.2345')]]),
  ],
  [
    'the identity lacks the key for a while',
    [
      'ALTER TABLE customer ALTER name SET NOT NULL; CREATE UNIQUE INDEX by_name ON customer (name)',
      'ALTER TABLE customer REPLICA IDENTITY USING INDEX by_name',
      'UPDATE customer SET id = 7 WHERE id = 1',
      'ALTER TABLE customer REPLICA IDENTITY FULL',
    ],
    /replica identity of public\.customer lacks the key/,
    // The sweep finds the key that the log could not name.
    new Map<string, unknown>([
      ['1', 'deleted'],
      ['7', row(7n, 'old', '1.2345')],
    ]),
  ],
]

test.each(HEALS)('%s: its entity is snapshotted anew, and capture goes on', async (_, ddl, reason, expected) => {
  const database = await streaming()
  const { sql, seen } = database
  // In one transaction: between statements the source would be looked at as it is there.
  await sql.unsafe(ddl.join(';'))
  await sql`INSERT INTO customer (id, name) VALUES (9, 'after')`
  await seen.ended
  expect(seen.failure()).toMatchObject({ code: 'table-altered', fate: 'retry', message: expect.stringMatching(reason) })
  const healed = await again(database, seen, CUSTOMER)
  await sql`UPDATE customer SET name = 'goes on' WHERE id = 9`
  await healed.until('the update', hasChange('9', 'update'))
  const rows = new Map(topic(seen, healed))
  expect(rows.get('9')).toMatchObject({ name: 'goes on' })
  rows.delete('9')
  expect(rows).toEqual(expected)
})

test('a stop ends when the declaration follows: a column and a table renamed are read again from where they are', async () => {
  const database = await streaming()
  const { sql, seen } = database
  await sql.unsafe(`
    INSERT INTO customer VALUES (2, 'before');
    ALTER TABLE customer RENAME name TO title; ALTER TABLE customer RENAME TO client;
    INSERT INTO client VALUES (3, 'after')`)
  await seen.ended
  expect(seen.failure()).toMatchObject({ code: 'source-unsuitable' })
  const entities = [
    {
      entity: CUSTOMER,
      table: { schema: 'public', name: 'client' },
      columns: { id: 'id', name: 'title', credit: 'credit' },
    },
  ]
  const next = await again(database, seen, CUSTOMER, { entities })
  await sql`UPDATE client SET title = 'goes on' WHERE id = 1`
  await next.until('the update', hasChange('1', 'update'))
  expect(topic(seen, next)).toEqual(
    new Map([
      ['1', row(1n, 'goes on', '1.2345')],
      ['2', row(2n, 'before')],
      ['3', row(3n, 'after')],
    ]),
  )
})

test('a stop ends when the declaration follows: a dropped column that is no longer declared costs no snapshot', async () => {
  const database = await streaming()
  const { sql, seen } = database
  await sql.unsafe(`ALTER TABLE customer DROP name; INSERT INTO customer (id) VALUES (3)`)
  await seen.ended
  expect(seen.failure()).toMatchObject({ code: 'source-unsuitable' })
  const less = entityOf('customer', { id: 'int64', credit: 'numeric' })
  const next = await again(database, seen, less)
  await next.until('the row that it stopped at', hasChange('3'))
  expect(next.changes()).toMatchObject([{ op: 'create', after: { id: 3n, credit: null } }])
})

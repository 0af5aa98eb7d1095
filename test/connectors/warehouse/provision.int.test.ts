import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Destination, EntityMapping } from '../../../connectors/destination.ts'
import { createWarehouse } from '../../../connectors/warehouse/destination.ts'
import { fullPatch, removal } from '../../contract/destination-contract.ts'
import { mappingOf } from './mappings.ts'
import { createDatabase, type WarehouseDatabase } from './warehouse-database.ts'

let database: WarehouseDatabase
let schemas = 0
let schema = ''
const made: Destination[] = []

beforeAll(async () => {
  database = await createDatabase('provision')
})
beforeEach(() => {
  schema = `P ${++schemas}"'\\`
})
afterAll(async () => {
  await Promise.all(made.map((destination) => destination.close()))
  await database.drop()
})

function warehouse(...mappings: readonly EntityMapping[]): Destination {
  const destination = createWarehouse({ name: 'provision', url: database.url, schema, mappings, connections: 1 })
  made.push(destination)
  return destination
}

async function columnsOf(table: string): Promise<Record<string, string>> {
  const rows = await database.sql`SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type FROM pg_attribute AS a
    JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = ${schema} AND c.relname = ${table} AND a.attnum > 0 AND NOT a.attisdropped`
  return Object.fromEntries(rows.map(({ attname, type }) => [attname, type]))
}

it('plans without changing anything, provisions, and then plans nothing', async () => {
  const destination = warehouse(mappingOf('a', { x: 'string' }, 'archive'), mappingOf('b', {}, 'soft'))
  const plan = await destination.plan()
  expect(plan.map((step) => step.split(' (')[0])).toEqual([
    expect.stringContaining('CREATE SCHEMA'),
    expect.stringContaining('"tributary_guard"'),
    expect.stringContaining('."a"'),
    expect.stringContaining('."a_archive"'),
    expect.stringContaining('."b"'),
  ])
  expect(await destination.plan()).toEqual(plan)
  await expect(destination.check()).rejects.toMatchObject({ code: 'destination-unsuitable' })
  await destination.provision()
  expect(await destination.plan()).toEqual([])
  await destination.check()
})

it('keeps no guard table where no delete removes a row', async () => {
  const destination = warehouse(mappingOf('b', {}, 'soft'), mappingOf('c', {}, 'ignore'))
  expect((await destination.plan()).join()).not.toContain('tributary_guard')
})

it('adds a new column and keeps what is there, columns of others included', async () => {
  await warehouse(mappingOf('a', { x: 'string' }, 'archive')).provision()
  await database.sql`ALTER TABLE ${database.sql(schema)}.a ADD COLUMN theirs text`
  const destination = warehouse(mappingOf('a', { y: 'decimal(9,2)[]' }, 'archive'))
  expect(await destination.plan()).toHaveLength(2)
  await destination.provision()
  expect(await columnsOf('a')).toEqual({
    tributary_key: 'text',
    tributary_version: 'bytea',
    x: 'text',
    theirs: 'text',
    y: 'numeric(9,2)[]',
  })
  expect(await columnsOf('a_archive')).toMatchObject({
    y: 'numeric(9,2)[]',
    tributary_deleted_at: 'timestamp with time zone',
  })
})

it('several at once, one of them works and all succeed', async () => {
  const destinations = Array.from({ length: 6 }, () => warehouse(mappingOf('a', { x: 'string' }), mappingOf('b', {})))
  await Promise.all(destinations.map((destination) => destination.provision()))
  for (const destination of destinations) await destination.check()
})

describe('what adding cannot set right is unsuitable, and named', () => {
  const mapping = mappingOf('a', { amount: 'decimal(10,2)', note: 'string' })
  it.each([
    ['ALTER COLUMN amount TYPE numeric(12,2)', ['a.amount', 'numeric(12,2)', 'numeric(10,2)']],
    ['ALTER COLUMN note TYPE varchar(50)', ['a.note', 'character varying(50)', 'text']],
    ['ALTER COLUMN tributary_key TYPE text COLLATE "C.utf8"', ['tributary_key', 'COLLATE "C"']],
    ['DROP CONSTRAINT a_pkey', ['primary key', 'tributary_key']],
    ['DROP COLUMN tributary_version', ['tributary_version', 'another target']],
  ])('%s', async (change, named) => {
    await warehouse(mapping).provision()
    await database.sql.unsafe(`ALTER TABLE "${schema.replaceAll('"', '""')}".a ${change}`)
    const destination = warehouse(mapping)
    for (const call of [destination.plan(), destination.provision(), destination.check()]) {
      const error = await call.catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'destination-unsuitable' })
      for (const text of named) expect((error as Error).message).toContain(text)
    }
  })

  it('a right that is missing', async () => {
    const destination = warehouse(mapping)
    await destination.provision()
    const role = `reader_${Date.now()}`
    const quoted = `"${schema.replaceAll('"', '""')}"`
    await database.sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'pw'; GRANT USAGE ON SCHEMA ${quoted} TO ${role};
      GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA ${quoted} TO ${role}`)
    const url = new URL(database.url)
    url.username = role
    url.password = 'pw'
    const limited = createWarehouse({ name: 'limited', url: url.href, schema, mappings: [mapping], connections: 1 })
    await expect(limited.check()).rejects.toMatchObject({
      code: 'destination-unsuitable',
      message: expect.stringContaining('UPDATE, DELETE'),
    })
    await limited.close()
    await database.sql.unsafe(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  })
})

it('an archive keeps every life of an object, with its columns', async () => {
  const mapping = mappingOf('a', { x: 'string' }, 'archive')
  const destination = warehouse(mapping)
  await destination.provision()
  const signal = new AbortController().signal
  await destination.apply(mapping, [fullPatch('k', 1, { x: 'first' })], signal)
  await destination.apply(mapping, [removal('k', 2)], signal)
  await destination.apply(mapping, [removal('k', 3)], signal)
  await destination.apply(mapping, [fullPatch('k', 4, { x: 'second' })], signal)
  await destination.apply(mapping, [removal('k', 5)], signal)
  const rows =
    await database.sql`SELECT x, tributary_deleted_at FROM ${database.sql(schema)}.a_archive ORDER BY tributary_version`
  expect(rows.map(({ x }) => x)).toEqual(['first', 'second'])
  expect(rows.every(({ tributary_deleted_at }) => tributary_deleted_at instanceof Date)).toBe(true)
})

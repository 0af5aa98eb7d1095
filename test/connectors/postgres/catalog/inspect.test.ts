import { expect, test } from 'vitest'
import type { ServerFacts, TableFacts } from '../../../../connectors/postgres/catalog/catalog.ts'
import { misfit } from '../../../../connectors/postgres/catalog/column-fit.ts'
import { inspectServer, inspectSharing, inspectTable } from '../../../../connectors/postgres/catalog/inspect.ts'
import { createPublication, inspectPublication } from '../../../../connectors/postgres/catalog/publication.ts'
import { parseFieldType } from '../../../../schemas/field-type.ts'
import { captured, entityOf } from '../own-database.ts'

const SERVER: ServerFacts = {
  version: 180_000,
  walLevel: 'logical',
  encoding: 'UTF8',
  role: 'app',
  mayReplicate: true,
  bypassesRowSecurity: false,
  database: 'shop',
}
const TYPES = new Map(
  [
    { oid: 20, name: 'int8', kind: 'b', base: 0, element: 0 },
    { oid: 25, name: 'text', kind: 'b', base: 0, element: 0 },
    { oid: 1700, name: 'numeric', kind: 'b', base: 0, element: 0 },
    { oid: 1009, name: '_text', kind: 'b', base: 0, element: 25 },
    { oid: 5000, name: 'email', kind: 'd', base: 25, element: 0 },
    { oid: 5001, name: 'mood', kind: 'e', base: 0, element: 0 },
  ].map((type) => [type.oid, { ...type, delimiter: ',' }]),
)
const column = (name: string, typeOid: number, more = {}) => ({
  name,
  typeOid,
  typeName: '',
  notNull: true,
  generated: '',
  number: 1,
  typeModifier: -1,
  ...more,
})
const CUSTOMER = captured(entityOf('customer', { id: 'int64', name: 'string' }))
const TABLE: TableFacts = {
  schema: 'public',
  name: 'customer',
  oid: 1,
  kind: 'r',
  persistence: 'p',
  mayRead: true,
  rowSecurity: false,
  columns: [column('id', 20), column('name', 25)],
  uniqueKeys: [['id']],
  heirs: [],
  identities: [{ table: 'customer', kind: 'd', columns: ['id'] }],
}
const findings = (facts: Partial<TableFacts> | undefined, table = CUSTOMER) =>
  inspectTable(table, facts === undefined ? undefined : { ...TABLE, ...facts }, SERVER, TYPES)

test('a server and a table that suit have no findings', () => {
  expect(inspectServer(SERVER)).toEqual([])
  expect(findings({})).toEqual([])
})

test('everything wrong with a server is told at once, with what to run', () => {
  expect(
    inspectServer({ ...SERVER, version: 130_000, walLevel: 'replica', mayReplicate: false, encoding: 'SQL_ASCII' }),
  ).toEqual([
    expect.stringContaining('PostgreSQL 13; 14 or newer'),
    expect.stringContaining('ALTER SYSTEM SET wal_level = logical'),
    expect.stringContaining('ALTER ROLE "app" REPLICATION'),
    expect.stringContaining('SQL_ASCII'),
  ])
})

test('each thing that makes a table unsuitable is told, with what to run', () => {
  const cases: readonly (readonly [Partial<TableFacts> | undefined, RegExp])[] = [
    [undefined, /public\.customer does not exist/],
    [{ kind: 'v' }, /not a table but a view/],
    [{ kind: 'f' }, /a foreign table, which has no log/],
    [{ persistence: 't' }, /is temporary/],
    [{ persistence: 'u' }, /SET LOGGED/],
    [{ mayRead: false }, /GRANT USAGE ON SCHEMA "public" TO "app"; GRANT SELECT ON "public"\."customer" TO "app"/],
    [{ rowSecurity: true }, /BYPASSRLS/],
    [{ columns: [column('id', 20)] }, /no column "name", which field name is read from/],
    [{ columns: [column('id', 20), column('name', 1700, { generated: 'v' })] }, /generated when read/],
    [
      { columns: [column('id', 1700), column('name', 25)] },
      /customer\.id is numeric; int64 is read from .*int8.*declared int64/,
    ],
    [{ columns: [column('id', 20, { notNull: false }), column('name', 25)] }, /ALTER "id" SET NOT NULL/],
    [{ uniqueKeys: [] }, /ADD PRIMARY KEY \("id"\)/],
    [{ uniqueKeys: [['id', 'name']] }, /not unique/],
    [{ identities: [{ table: 'customer', kind: 'n', columns: [] }] }, /REPLICA IDENTITY FULL/],
    [{ identities: [{ table: 'part_1', kind: 'i', columns: ['name'] }] }, /ALTER TABLE part_1 REPLICA IDENTITY FULL/],
  ]
  for (const [facts, expected] of cases)
    expect(findings(facts), String(expected)).toEqual([expect.stringMatching(expected)])
})

test('an identity that is full, or covers the declared key and more, is enough', () => {
  expect(findings({ identities: [{ table: 'customer', kind: 'f', columns: [] }] })).toEqual([])
  expect(findings({ identities: [{ table: 'customer', kind: 'i', columns: ['name', 'id'] }] })).toEqual([])
})

test('a key must be of a type whose text is the same for equal values', () => {
  const bad = captured(entityOf('customer', { id: 'int64', name: 'string[]' }, ['id', 'name']))
  expect(findings({ columns: [column('id', 20), column('name', 1009)], uniqueKeys: [['name', 'id']] }, bad)).toEqual([
    expect.stringContaining('field name is string[], which cannot be part of a key'),
    expect.stringContaining('REPLICA IDENTITY FULL'),
  ])
})

test('domains and enums fit what they are made of', () => {
  const problem = (type: string, oid: number) => misfit(parseFieldType(type), oid, TYPES)
  expect(problem('string', 5000)).toBeUndefined()
  expect(problem('uuid', 5000)).toBeUndefined()
  expect(problem('enum(a)', 5001)).toBeUndefined()
  expect(problem('string[]', 1009)).toBeUndefined()
  expect(problem('int64[]', 1009)).toMatch(/an array of text/)
  expect(problem('string[]', 25)).toMatch(/not an array/)
  expect(problem('boolean', 5001)).toMatch(/is mood/)
  expect(problem('string', 4242)).toMatch(/does not know/)
})

test('two entities on one table are refused, as a row would reach only one of them', () => {
  expect(inspectSharing([CUSTOMER, captured(entityOf('order', { id: 'int64' }))])).toEqual([])
  expect(inspectSharing([CUSTOMER, { ...CUSTOMER, entity: entityOf('client', { id: 'int64' }) }])).toEqual([
    expect.stringContaining('public.customer is captured by entities customer and client'),
  ])
})

test('a publication that leaves something out is told, with what to run', () => {
  const table = { ...CUSTOMER, oid: 1, partitioned: true, typeNames: {}, places: {} }
  const inspection = { tables: [table], facts: [TABLE], server: SERVER }
  const all = { insert: true, update: true, delete: true, truncate: true }
  const published = { schema: 'public', name: 'customer', columns: ['id', 'name'], filtered: false }
  const right = { operations: all, allTables: false, viaRoot: true, tables: [published] }
  expect(inspectPublication('p', right, inspection)).toEqual([])
  expect(
    inspectPublication(
      'p',
      {
        ...right,
        operations: { ...all, delete: false, truncate: false },
        viaRoot: false,
        tables: [{ ...published, filtered: true, columns: ['id'] }],
      },
      inspection,
    ),
  ).toEqual([
    expect.stringMatching(/does not publish delete, truncate.*SET \(publish = /),
    expect.stringContaining('publish_via_partition_root = true'),
    expect.stringContaining('leaves out rows'),
    expect.stringContaining('leaves out "name" of public.customer. Take the column list out'),
  ])
})

test('the publication carries generated columns where the server can', () => {
  const table = { ...CUSTOMER, oid: 1, partitioned: false, typeNames: {}, places: {} }
  const facts = { ...TABLE, columns: [column('id', 20), column('name', 25, { generated: 's' })] }
  const statement = (version: number) =>
    createPublication('p"q', { tables: [table], facts: [facts], server: { ...SERVER, version } })
  expect(statement(180_000)).toBe(
    `CREATE PUBLICATION "p""q" FOR TABLE "public"."customer" WITH (publish = 'insert, update, delete, truncate', ` +
      'publish_via_partition_root = true, publish_generated_columns = stored)',
  )
  expect(statement(170_000)).not.toContain('generated')
})

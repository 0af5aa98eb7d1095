import { expect, test } from 'vitest'
import type { CapturedTable } from '../../../connectors/postgres/captured-table.ts'
import type { ServerFacts, TableFacts } from '../../../connectors/postgres/catalog/catalog.ts'
import { type Examined, inspectTable } from '../../../connectors/postgres/catalog/inspect.ts'
import { decideLetters } from '../../../ops/doctor/source/letters.ts'
import { decideRights, decideRoom, decideServer } from '../../../ops/doctor/source/server.ts'
import { decideIdentity, decidePublication, decideTables } from '../../../ops/doctor/source/tables.ts'
import { captured, entityOf } from '../../connectors/postgres/own-database.ts'

const SERVER: ServerFacts = {
  version: 180_004,
  walLevel: 'logical',
  encoding: 'UTF8',
  role: 'capture',
  mayReplicate: true,
  bypassesRowSecurity: false,
  database: 'shop',
}

test('a server that capture can read is told with its release', () => {
  expect(decideServer('erp', SERVER)).toMatchObject([
    { result: 'ok', subject: 'erp', found: 'PostgreSQL 18.4, wal_level logical, UTF8', todo: null },
  ])
})

test('without logical log nothing can be captured, and the statement is given', () => {
  expect(decideServer('erp', { ...SERVER, walLevel: 'replica' })).toEqual([
    {
      name: 'source-server',
      subject: 'erp',
      result: 'fail',
      found: 'wal_level is replica',
      todo: 'ALTER SYSTEM SET wal_level = logical; then restart the server',
    },
  ])
  const old = decideServer('erp', { ...SERVER, version: 130_005 })
  expect(old).toMatchObject([{ result: 'fail', found: expect.stringContaining('14 or newer is needed') }])
})

const CUSTOMERS: CapturedTable = captured(entityOf('customers', { id: 'int64', name: 'string' }))
const INT8 = { oid: 20, name: 'int8', kind: 'b', base: 0, element: 0, delimiter: ',' }
const TEXT = { oid: 25, name: 'text', kind: 'b', base: 0, element: 0, delimiter: ',' }
const TYPES = new Map([INT8, TEXT].map((type) => [type.oid, type]))

const column = (name: string, typeOid: number, number: number) => ({
  ...{ name, typeOid, typeName: typeOid === 20 ? 'bigint' : 'text', notNull: number === 1, generated: '' },
  ...{ number, typeModifier: -1 },
})

function factsWith(more: Partial<TableFacts>): TableFacts {
  return {
    ...{ schema: 'public', name: 'customers', oid: 1, kind: 'r', persistence: 'p', mayRead: true, rowSecurity: false },
    columns: [column('id', 20, 1), column('name', 25, 2)],
    uniqueKeys: [['id']],
    heirs: [],
    identities: [{ table: 'customers', kind: 'f', columns: [] }],
    ...more,
  }
}

function examined(facts: TableFacts | undefined): Examined {
  return { captured: CUSTOMERS, facts, findings: inspectTable(CUSTOMERS, facts, SERVER, TYPES) }
}

const RIGHTS = {
  role: 'capture',
  mayEmit: true,
  emitFunction: 'pg_logical_emit_message(boolean,text,text,boolean)',
  seesOthers: false,
}

test('each right that is missing has its statement, and is told by no other check', () => {
  const hidden = examined(factsWith({ mayRead: false, rowSecurity: true }))
  const findings = decideRights('erp', { ...SERVER, mayReplicate: false }, [hidden], { ...RIGHTS, mayEmit: false })
  expect(findings.map(({ result, todo }) => [result, todo])).toEqual([
    ['fail', 'ALTER ROLE "capture" REPLICATION (Amazon RDS: GRANT rds_replication TO it)'],
    ['fail', 'GRANT USAGE ON SCHEMA "public" TO "capture"; GRANT SELECT ON "public"."customers" TO "capture"'],
    ['fail', 'ALTER ROLE "capture" BYPASSRLS'],
    ['warn', 'GRANT EXECUTE ON FUNCTION pg_logical_emit_message(boolean,text,text,boolean) TO "capture"'],
  ])
  expect(decideServer('erp', { ...SERVER, mayReplicate: false })).toMatchObject([{ result: 'ok' }])
  expect(decideTables('erp', SERVER, [hidden])).toMatchObject([{ result: 'ok' }])
  expect(decideRights('erp', SERVER, [examined(factsWith({}))], RIGHTS)).toMatchObject([{ result: 'ok' }])
})

test('a table that is missing, and a column that is, are each named', () => {
  expect(decideTables('erp', SERVER, [examined(undefined)])).toMatchObject([
    {
      result: 'fail',
      subject: 'erp public.customers',
      found: 'table public.customers does not exist',
      todo: 'Create it, or correct the table of entity customers',
    },
  ])
  const narrow = examined(factsWith({ columns: [column('id', 20, 1)] }))
  expect(decideTables('erp', SERVER, [narrow])).toMatchObject([
    { found: expect.stringContaining('no column "name"'), todo: expect.stringContaining('tributary validate') },
  ])
})

test('a replica identity costs nothing, something, or the log its sense', () => {
  const identified = (kind: string, columns: string[]) =>
    decideIdentity('erp', [examined(factsWith({ identities: [{ table: 'customers', kind, columns }] }))])
  expect(identified('f', [])).toMatchObject([{ result: 'ok', found: 'full, 1 table' }])
  expect(identified('d', ['id'])).toMatchObject([
    {
      result: 'warn',
      found: expect.stringContaining('default (id)'),
      todo: 'ALTER TABLE customers REPLICA IDENTITY FULL',
    },
  ])
  expect(identified('n', [])).toMatchObject([{ result: 'fail', todo: 'ALTER TABLE customers REPLICA IDENTITY FULL' }])
})

test('a publication is whole, lacks a table, lacks an operation, or is not there', () => {
  const compared = { exists: true, absent: [], statement: undefined, findings: [] }
  const decide = (more: object) => decidePublication('erp', 'pub', { ...compared, ...more })
  expect(decide({})).toMatchObject([{ result: 'ok' }])
  const statement = 'ALTER PUBLICATION "pub" ADD TABLE "public"."customers"'
  expect(decide({ absent: ['public.customers'], statement })).toMatchObject([
    {
      result: 'fail',
      subject: 'erp public.customers',
      todo: `tributary provision\nor, as the owner of the tables: ${statement}`,
    },
  ])
  const silent = `publication "pub" does not publish delete. Run: ALTER PUBLICATION "pub" SET (publish = 'insert, update, delete, truncate')`
  expect(decide({ findings: [silent] })).toMatchObject([
    { result: 'fail', todo: `ALTER PUBLICATION "pub" SET (publish = 'insert, update, delete, truncate')` },
  ])
  expect(decide({ exists: false })).toMatchObject([{ result: 'fail', todo: 'tributary provision' }])
})

const ROOM = {
  ...{ slots: 2, idleSlots: 0, slotsMax: 10, senders: 1, sendersMax: 10, connections: 20, connectionsMax: 100 },
}

test('no slot left stops capture that has none yet, and a snapshot of one that has', () => {
  const none = { exists: false, active: false }
  const reading = { exists: true, active: true }
  expect(decideRoom('erp', ROOM, reading)).toMatchObject([{ result: 'ok' }])
  const full = { ...ROOM, slots: 10, idleSlots: 3 }
  expect(decideRoom('erp', full, none)).toMatchObject([
    { result: 'fail', found: '10 of 10 replication slots are taken: capture cannot start' },
  ])
  const [late] = decideRoom('erp', full, reading)
  expect(late).toMatchObject({ result: 'warn', found: '10 of 10 replication slots are taken: a snapshot has to wait' })
  expect(late!.todo).toBe(
    'ALTER SYSTEM SET max_replication_slots = 11; then restart the server\n' +
      'or drop one of the 3 that nobody reads: SELECT slot_name FROM pg_replication_slots WHERE NOT active',
  )
  expect(decideRoom('erp', { ...ROOM, senders: 9 }, none)).toMatchObject([{ result: 'warn' }])
  expect(decideRoom('erp', { ...ROOM, senders: 9 }, reading)).toMatchObject([{ result: 'ok' }])
  expect(decideRoom('erp', { ...ROOM, connections: 95 }, reading)).toMatchObject([
    { result: 'warn', todo: 'ALTER SYSTEM SET max_connections = 110; then restart the server' },
  ])
})

test('rows that could not be encoded are counted by entity', () => {
  expect(decideLetters('erp', new Map())).toMatchObject([{ result: 'ok' }])
  expect(decideLetters('erp', new Map([['customer', 2]]))).toMatchObject([
    { result: 'warn', found: expect.stringContaining('2 rows'), todo: 'tributary dlq list erp' },
  ])
})

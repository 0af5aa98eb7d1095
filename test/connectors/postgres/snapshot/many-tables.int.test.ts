import { expect, test } from 'vitest'
import { collect, entityOf, ownDatabase, sourceFor } from '../own-database.ts'

const TABLES = 300
const ROWS_PER_TABLE = 3

test('three hundred tables of one source are snapshotted and followed', async () => {
  const database = await ownDatabase()
  const names = Array.from({ length: TABLES }, (_, index) => `item_${index + 1}`)
  const each = (statement: (name: string) => string) => database.sql.unsafe(names.map(statement).join(';'))
  await each((name) => `CREATE TABLE ${name} (id bigint PRIMARY KEY, note text, price numeric(10,2))`)
  await each((name) => `ALTER TABLE ${name} REPLICA IDENTITY FULL`)
  await each((name) => `INSERT INTO ${name} SELECT i, '${name}', i FROM generate_series(1, ${ROWS_PER_TABLE}) AS i`)
  const entities = names.map((name) => entityOf(name, { id: 'int64', note: 'string', price: 'decimal(10,2)' }))
  const source = sourceFor(database, entities)
  await source.prepare()
  const seen = collect(source)
  const has = (op: string, count: number) => () => seen.changes().filter((change) => change.op === op).length >= count
  await seen.until('every snapshot', has('snapshot', TABLES * ROWS_PER_TABLE))
  await each((name) => `UPDATE ${name} SET price = 10 WHERE id = 1`)
  await seen.until('every update', has('update', TABLES))

  const counts = new Map<string, string[]>()
  for (const { entity, op, key } of seen.changes()) counts.set(entity, [...(counts.get(entity) ?? []), `${op} ${key}`])
  expect([...counts.keys()].sort()).toEqual(names.toSorted())
  for (const [, changes] of counts) expect(changes).toEqual(['snapshot 1', 'snapshot 2', 'snapshot 3', 'update 1'])
})

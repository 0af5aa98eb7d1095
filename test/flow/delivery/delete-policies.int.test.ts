import { afterAll, beforeAll, expect, test } from 'vitest'
import { DELETE_POLICIES } from '../../../connectors/destination.ts'
import { createFlow, type Flow, type FlowProcess, onLocalErp } from '../../support/flow.ts'
import { untilQuiet } from '../../support/quiet.ts'

let flow: Flow
let running: FlowProcess

const declare = (prefix: string) => `
${onLocalErp(prefix)}
entities:
  thing:
    source: erp
    table: things
    key: id
    owner: test
    freshness: 15m
    partitions: 2
    fields: { id: int64, a: string, b: string }
subscribers:${DELETE_POLICIES.map(
  (policy) => `
  to-${policy}:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    schema: to_${policy}
    onDelete: ${policy}
    entities: { thing: { table: things } }`,
).join('')}
`

beforeAll(async () => {
  flow = await createFlow(
    declare,
    `CREATE TABLE things (id bigint PRIMARY KEY, a text, b text);
     ALTER TABLE things REPLICA IDENTITY FULL;
     INSERT INTO things SELECT i, 'a', 'b' FROM generate_series(1, 6) i`,
  )
  await flow.provision()
  running = flow.start('run')
  await untilQuiet(flow)
})

afterAll(() => flow?.close())

/** Rows as `id a b`, with what the policy adds. */
async function rows(table: string, extra = ''): Promise<string[]> {
  const found = await flow.warehouse.unsafe<{ row: string }[]>(
    `SELECT concat_ws(' ', id, coalesce(a, '-'), coalesce(b, '-')${extra}) AS row FROM ${table} ORDER BY id, a, b`,
  )
  return found.map(({ row }) => row)
}

const MARK = `, CASE WHEN tributary_deleted_at IS NULL THEN '' ELSE 'deleted' END`

test('a delete does what each subscriber declares, and a key that comes again is whole', {
  timeout: 120_000,
}, async () => {
  await flow.source`DELETE FROM things WHERE id <= 4`
  await untilQuiet(flow)
  expect(await rows('to_hard.things')).toEqual(['5 a b', '6 a b'])
  expect(await rows('to_archive.things')).toEqual(['5 a b', '6 a b'])
  expect(await rows('to_archive.things_archive')).toEqual(['1 a b', '2 a b', '3 a b', '4 a b'])
  expect(await rows('to_soft.things', MARK)).toEqual([
    ...['1 a b deleted', '2 a b deleted', '3 a b deleted', '4 a b deleted'],
    ...['5 a b ', '6 a b '],
  ])
  expect(await rows('to_ignore.things')).toEqual(['1 a b', '2 a b', '3 a b', '4 a b', '5 a b', '6 a b'])

  // Again with one field as it was and one cleared, by a statement of its own and within one transaction.
  await flow.source`INSERT INTO things VALUES (1, 'a', NULL), (2, 'again', 'b')`
  await flow.source.begin(async (sql) => {
    await sql`DELETE FROM things WHERE id = 5`
    await sql`INSERT INTO things VALUES (5, 'a', 'new')`
  })
  await untilQuiet(flow)
  const live = ['1 a -', '2 again b', '5 a new', '6 a b']
  expect(await rows('to_hard.things')).toEqual(live)
  expect(await rows('to_archive.things')).toEqual(live)
  expect(await rows('to_archive.things_archive')).toEqual(['1 a b', '2 a b', '3 a b', '4 a b', '5 a b'])
  expect(await rows('to_soft.things WHERE tributary_deleted_at IS NULL')).toEqual(live)
  expect(await rows('to_ignore.things')).toEqual(['1 a -', '2 again b', '3 a b', '4 a b', '5 a new', '6 a b'])

  // A second life and its end: the archive keeps both.
  await flow.source`DELETE FROM things WHERE id = 1`
  await flow.source`UPDATE things SET id = 7 WHERE id = 2`
  await untilQuiet(flow)
  expect(await rows('to_hard.things')).toEqual(['5 a new', '6 a b', '7 again b'])
  expect(await rows('to_archive.things_archive')).toEqual([
    ...['1 a b', '1 a -', '2 a b', '2 again b', '3 a b', '4 a b', '5 a b'],
  ])
  expect(await rows('to_soft.things WHERE tributary_deleted_at IS NULL')).toEqual(['5 a new', '6 a b', '7 again b'])
  running.kill('SIGTERM')
  expect(await running.exited).toBe(0)
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { columnType } from '../../connectors/warehouse/sql-names.ts'
import { parseFieldType } from '../../schemas/field-type.ts'
import { createFlow, type Flow, type FlowProcess, onLocalErp } from '../support/flow.ts'
import { untilQuiet } from '../support/quiet.ts'
import { SETUP, TYPES } from './every-type.ts'

let flow: Flow
let running: FlowProcess

const declare = (prefix: string) => `
${onLocalErp(prefix)}
entities:
  typed:
    source: erp
    table: typed
    key: id
    owner: test
    freshness: 15m
    partitions: 2
    fields:
      id: int64
${TYPES.map(({ declared }, at) => `      c${at}: "${declared}"`).join('\n')}
subscribers:
  warehouse:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    entities: { typed: }
`

const ROWS = Math.max(...TYPES.map(({ values }) => values.length))
const cells = (row: number) => TYPES.map(({ values }) => values[row] ?? 'NULL').join(', ')
const assignments = (row: number) => TYPES.map(({ values }, at) => `c${at} = ${values[row] ?? 'NULL'}`).join(', ')
const insert = (from: number) =>
  Array.from({ length: ROWS }, (_, row) => `INSERT INTO typed VALUES (${from + row}, ${cells(row)});`).join('\n')

const BY_SNAPSHOT = 0
const BY_INSERT = 1_000
const BY_UPDATE = 2_000

beforeAll(async () => {
  flow = await createFlow(
    declare,
    `${SETUP}
     CREATE TABLE typed (id bigint PRIMARY KEY, ${TYPES.map(({ type }, at) => `c${at} ${type}`).join(', ')});
     ALTER TABLE typed REPLICA IDENTITY FULL;
     ${insert(BY_SNAPSHOT)}`,
  )
  await flow.provision()
  running = flow.start('run')
  await quiet()
})

afterAll(() => flow?.close())

const QUIET_WITHIN_MS = 40_000

async function quiet(): Promise<void> {
  await untilQuiet(flow, QUIET_WITHIN_MS).catch((cause: unknown) => {
    throw new Error(`not delivered: ${running.log()}`, { cause })
  })
}

/** Compares the warehouse with the source in the source's own SQL, where its types are known. */
async function compare(): Promise<readonly string[]> {
  const { sql, close } = await beside(flow)
  const wrong: string[] = []
  try {
    const [{ rows }] = (await sql.unsafe(
      'SELECT count(*)::int AS rows FROM typed s JOIN there w ON w.tributary_key = s.id::text',
    )) as unknown as [{ rows: number }]
    if (rows !== ROWS * 3) wrong.push(`${rows} rows arrived, not ${ROWS * 3}`)
    for (const [at, { type, declared, comparable }] of TYPES.entries()) {
      const back = `w.c${at}::${type}`
      const same = [`${back}::text IS NOT DISTINCT FROM s.c${at}::text`]
      if (comparable !== false) same.push(`${back} IS NOT DISTINCT FROM s.c${at}`)
      const found = await sql.unsafe(
        `SELECT s.id, left(s.c${at}::text, 60) AS here, left(w.c${at}::text, 60) AS there
         FROM typed s JOIN there w ON w.tributary_key = s.id::text WHERE NOT (${same.join(' AND ')}) ORDER BY s.id`,
      )
      for (const { id, here, there } of found)
        wrong.push(`${type} as ${declared}, row ${id}: ${there} instead of ${here}`)
    }
  } finally {
    await close()
  }
  return wrong
}

/** The warehouse's table as a foreign table beside the source's. */
async function beside({ source, warehouseUrl }: Flow) {
  const url = new URL(warehouseUrl)
  const sql = await source.reserve()
  const columns = TYPES.map(({ declared }, at) => `c${at} ${columnType(parseFieldType(declared))}`).join(', ')
  await sql.unsafe(`
    DROP SERVER IF EXISTS warehouse CASCADE;
    CREATE SERVER warehouse FOREIGN DATA WRAPPER postgres_fdw
      OPTIONS (host '${url.hostname}', port '${url.port}', dbname '${url.pathname.slice(1)}');
    CREATE USER MAPPING FOR CURRENT_USER SERVER warehouse
      OPTIONS (user '${url.username}', password '${decodeURIComponent(url.password)}');
    CREATE FOREIGN TABLE there (tributary_key text, ${columns}) SERVER warehouse OPTIONS (table_name 'typed');`)
  return { sql, close: async () => sql.release() }
}

test('every type and extreme value arrives unchanged: by snapshot, by insert and by update', {
  timeout: 90_000,
}, async () => {
  await flow.source.unsafe(insert(BY_INSERT))
  await flow.source.unsafe(`INSERT INTO typed (id) SELECT ${BY_UPDATE} + i FROM generate_series(0, ${ROWS - 1}) i`)
  for (let row = 0; row < ROWS; row++)
    await flow.source.unsafe(`UPDATE typed SET ${assignments(row)} WHERE id = ${BY_UPDATE + row}`)
  await quiet()
  expect(await compare(), running.log()).toEqual([])
})

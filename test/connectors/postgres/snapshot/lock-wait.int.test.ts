import { expect, onTestFinished, test } from 'vitest'
import { openPool } from '../../../../connectors/postgres/connection.ts'
import { failure } from '../../../../connectors/postgres/failure.ts'
import { hydrateRows } from '../../../../connectors/postgres/hydrate.ts'
import { createSlot } from '../../../../connectors/postgres/slot/slot.ts'
import { ITEM, items, openTransaction } from '../items.ts'
import { type OwnDatabase, until } from '../own-database.ts'
import { APPLICATION, locate } from './snapshot-reading.ts'

const LOCK_WAIT_MS = 200

function impatient({ url }: OwnDatabase) {
  const pool = openPool(url, APPLICATION, LOCK_WAIT_MS)
  onTestFinished(() => pool.end({ timeout: 0 }))
  return pool
}

test('rows of a table that someone has locked are not waited for without end', async () => {
  const database = await items(10)
  const { table } = await locate(database, ITEM)
  const lock = await openTransaction(database, 'LOCK TABLE item IN ACCESS EXCLUSIVE MODE')
  const error = await hydrateRows(impatient(database), table, ['1'], ['note']).catch((thrown: unknown) => thrown)
  expect(failure('reading rows of public.item', error)).toMatchObject({
    code: 'source-unreachable',
    message: expect.stringMatching(/reading rows of public\.item: .*lock.*pg_locks/),
  })
  await lock.commit()
})

test('the making of a slot waits for transactions as long as they last', async () => {
  const database = await items(10)
  const { sql, slot } = database
  const long = await openTransaction(database, 'UPDATE item SET n = -1 WHERE id = 1')
  const made = createSlot(impatient(database), slot, new AbortController().signal)
  made.catch(() => {})
  await until('it waits for longer than for a lock', async () => {
    const [row] =
      await sql`SELECT FROM pg_stat_activity WHERE application_name = ${APPLICATION} AND datname = current_database()
      AND query LIKE '%pg_create_logical%' AND now() - query_start > ${`${3 * LOCK_WAIT_MS} ms`}::interval`
    return row !== undefined
  })
  await long.commit()
  await made
})

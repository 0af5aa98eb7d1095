import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OwnPostgres, startOwnPostgres } from '../../../support/servers/own-postgres.ts'
import { type OwnDatabase, until } from '../own-database.ts'
import {
  captureOnce,
  changeUnseen,
  createItems,
  expectNewEpoch,
  ITEM_SQL,
  keepCapturing,
  serverDatabase,
} from './lost-history.ts'

let server: OwnPostgres

beforeAll(async () => {
  server = await startOwnPostgres({
    walSegmentMB: 1,
    settings: { max_slot_wal_keep_size: '2MB', min_wal_size: '2MB', max_wal_size: '4MB', wal_sender_timeout: '60s' },
  })
})
afterAll(async () => await server?.close())

async function captured() {
  const database = serverDatabase(server)
  await database.sql.unsafe(`DROP TABLE IF EXISTS item; ${ITEM_SQL}`)
  const topics = createItems()
  await captureOnce(database, topics)
  return { database, topics }
}

/** Writes log until the server gives the slot up. */
async function outrun({ sql, slot }: OwnDatabase): Promise<void> {
  await until('the slot is given up', async () => {
    await sql`SELECT pg_logical_emit_message(false, 'tests', repeat('x', 1000000), true)`
    await sql`CHECKPOINT`
    const [row] = await sql`SELECT wal_status FROM pg_replication_slots WHERE slot_name = ${slot}`
    return row!.wal_status === 'lost'
  })
}

const WHY = /the server gave replication slot "\S+" up \(wal_status lost, wal_removed\)/

test('a slot that the server gave up while capture was stopped', async () => {
  const { database, topics } = await captured()
  await changeUnseen(database)
  await outrun(database)
  await changeUnseen(database)
  await expectNewEpoch(database, topics, keepCapturing(database, topics), WHY)
})

test('a slot that the server gave up while capture was held up in mid-stream', async () => {
  const { database, topics } = await captured()
  const released = Promise.withResolvers<void>()
  let stalled = false
  const capturing = keepCapturing(database, topics, {
    async onEvent(event) {
      if (event.kind !== 'change' || event.change.key !== '50') return
      stalled = true
      await released.promise
    },
  })
  await database.sql`INSERT INTO item VALUES (50, 0)`
  await until('it is held up', () => stalled)
  await changeUnseen(database)
  await outrun(database)
  released.resolve()
  await expectNewEpoch(database, topics, capturing, WHY)
  expect(capturing.notices.filter(({ code }) => code === 'history-lost')).toHaveLength(1)
})

test('held, a slot that was given up stays as it is until a person says so', async () => {
  const { database, topics } = await captured()
  await changeUnseen(database)
  await outrun(database)
  const capturing = keepCapturing(database, topics, { onLostHistory: 'hold' })
  await until('three attempts', () => capturing.failures.length >= 3)
  expect(capturing.failures[2]!.message).toMatch(WHY)
  const [row] = await database.sql`SELECT wal_status FROM pg_replication_slots WHERE slot_name = ${database.slot}`
  expect(row!.wal_status).toBe('lost')
  topics.values.set('recover', { epoch: 1 })
  await expectNewEpoch(database, topics, capturing, /a person asked/)
})

import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type OwnPostgres, type OwnStandby, startOwnPostgres } from '../../../support/servers/own-postgres.ts'
import { type OwnDatabase, until } from '../own-database.ts'
import {
  changeUnseen,
  createItems,
  epochOf,
  expectNewEpoch,
  expectSameEpoch,
  freshItems,
  keepCapturing,
  lost,
  serverDatabase,
  untilSame,
  untilSettled,
} from './lost-history.ts'

let primary: OwnPostgres

beforeAll(async () => {
  primary = await startOwnPostgres()
})
afterAll(async () => await primary?.close())

/** A captured source on a server with a standby that follows it. Capture runs, and is stopped with the primary. */
async function followed() {
  await primary.start()
  const database = await freshItems(primary)
  const standby = await primary.standbyFromCopy()
  onTestFinished(() => standby.close())
  const there = { ...serverDatabase(standby), slot: database.slot }
  const topics = createItems()
  const capturing = keepCapturing(database, topics)
  await untilSame(database, topics, capturing)
  return { database, standby, there, topics, capturing }
}

/** Waits until the slot is at the standby, as one that survives a failover. */
async function untilSynced({ sql }: OwnDatabase, there: OwnDatabase): Promise<void> {
  await until('the slot is at the standby', async () => {
    // A slot settles at the standby only as the primary's moves.
    await sql`SELECT pg_log_standby_snapshot()`
    const [slot] = await there.sql`
      SELECT synced AND NOT temporary AND invalidation_reason IS NULL AS ready FROM pg_replication_slots WHERE slot_name = ${there.slot}`
    return slot?.ready === true
  })
}

async function untilReplayed({ sql }: OwnDatabase, there: OwnDatabase): Promise<void> {
  const [end] = await sql<{ lsn: string }[]>`SELECT pg_current_wal_flush_lsn()::text AS lsn`
  await until('the standby has it all', async () => {
    const [row] = await there.sql`SELECT pg_last_wal_replay_lsn() >= ${end!.lsn}::pg_lsn AS has`
    return row!.has === true
  })
}

/** The standby gets nothing more of the primary. */
async function cutOff(there: OwnDatabase, standby: OwnStandby): Promise<void> {
  await standby.configure({ primary_conninfo: '' })
  await until('it receives nothing', async () => (await there.sql`SELECT FROM pg_stat_wal_receiver`).length === 0)
}

test('a failover that lost nothing, with the slot at the standby, goes on in the same epoch without a snapshot', async () => {
  const { database, standby, there, topics, capturing } = await followed()
  await untilSynced(database, there)
  await changeUnseen(database)
  await untilSame(database, topics, capturing)
  await untilReplayed(database, there)
  await cutOff(there, standby)
  // What the standby never gets, and holds nothing of ours: the position moves on with it.
  await database.sql`SELECT pg_logical_emit_message(false, 'tests', repeat('x', 1000000))`
  await untilSettled(database, topics)
  await capturing.stop()
  await primary.stop('immediate')
  await standby.promote()
  await changeUnseen(there)
  const after = keepCapturing(there, topics)
  await expectSameEpoch(there, topics, after)
  await until('a position of the new timeline is stored', () => topics.position!.mark!.startsWith('1/2/'))
  await after.stop()
  expect(topics.values.get('history')).toMatchObject({ epoch: 1, timeline: 2 })
  // And the next start as well.
  await changeUnseen(there)
  await expectSameEpoch(there, topics, keepCapturing(there, topics))
})

test('a failover that lost transactions which were published: a new epoch, and their rows vanish or are set right', async () => {
  const { database, standby, there, topics, capturing } = await followed()
  await untilSynced(database, there)
  await changeUnseen(database)
  await untilSame(database, topics, capturing)
  await untilReplayed(database, there)
  await cutOff(there, standby)
  await database.sql`INSERT INTO item VALUES (500, 1)`
  await database.sql`UPDATE item SET n = 4711 WHERE id = 7`
  await database.sql`DELETE FROM item WHERE id = 8`
  await untilSame(database, topics, capturing)
  await untilSettled(database, topics)
  await capturing.stop()
  await primary.stop('immediate')
  await standby.promote()
  await changeUnseen(there)
  expect(topics.rows.get('500')).toBe(1n)
  expect(topics.rows.has('8')).toBe(false)
  const after = keepCapturing(there, topics)
  await expectNewEpoch(
    there,
    topics,
    after,
    /timeline 2, which left timeline 1 at \S+, before .*: a failover lost changes/,
  )
  expect(topics.rows.has('500')).toBe(false)
  expect(topics.rows.has('8')).toBe(true)
  expect(topics.rows.get('7')).not.toBe(4711n)
})

test('a failover that lost what was published and whose position was not stored yet is noticed by the topic', async () => {
  const { database, standby, there, topics, capturing } = await followed()
  await untilSynced(database, there)
  await untilSettled(database, topics)
  await untilReplayed(database, there)
  const stored = topics.position
  await cutOff(there, standby)
  await database.sql`INSERT INTO item VALUES (500, 1)`
  await untilSame(database, topics, capturing)
  await capturing.stop()
  topics.position = stored
  await primary.stop('immediate')
  await standby.promote()
  const after = keepCapturing(there, topics)
  await expectNewEpoch(there, topics, after, /a change at \S+ was published: a failover lost it/)
  expect(topics.rows.has('500')).toBe(false)
})

test('a failover that did not bring the slot along: a new epoch; held, not until a person says so', async () => {
  const { database, standby, there, topics, capturing } = await followed()
  await standby.configure({ sync_replication_slots: 'off' })
  await changeUnseen(database)
  await untilSame(database, topics, capturing)
  await untilReplayed(database, there)
  await capturing.stop()
  await primary.stop('immediate')
  await standby.promote()
  await there.sql`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots`
  await changeUnseen(there)
  const held = keepCapturing(there, topics, { onLostHistory: 'hold' })
  await until('two attempts', () => held.failures.length >= 2)
  await held.stop()
  const WHY = /replication slot "\S+" does not exist any more: a failover to timeline 2 did not bring it along/
  expect(held.failures[1]!.message).toMatch(WHY)
  expect(await there.sql`SELECT FROM pg_replication_slots`).toHaveLength(0)
  expect(epochOf(topics)).toBe(1)
  expect(lost(held)).toEqual([])
  await expectNewEpoch(there, topics, keepCapturing(there, topics), WHY)
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OwnPostgres, startOwnPostgres } from '../../../support/servers/own-postgres.ts'
import { until } from '../own-database.ts'
import {
  captureOnce,
  changeUnseen,
  createItems,
  epochOf,
  expectNewEpoch,
  expectSameEpoch,
  freshItems,
  ITEM_SQL,
  keepCapturing,
  lost,
  serverDatabase,
  untilSame,
  untilSettled,
} from './lost-history.ts'

let server: OwnPostgres

beforeAll(async () => {
  server = await startOwnPostgres()
})
afterAll(async () => await server?.close())

/** A source that was captured, and a copy of its server. */
async function copied() {
  const database = await freshItems(server)
  const topics = createItems()
  await captureOnce(database, topics)
  return { database, topics, copy: await server.copyData() }
}

/** Captures more, which the copy does not have. */
async function captureMore({ database, topics }: Pick<Awaited<ReturnType<typeof copied>>, 'database' | 'topics'>) {
  const capturing = keepCapturing(database, topics)
  await changeUnseen(database)
  await untilSame(database, topics, capturing)
  await untilSettled(database, topics)
  await capturing.stop()
  return topics.position!.position
}

/** More than comes in one reading of the stream. */
async function insertMany({ sql }: ReturnType<typeof serverDatabase>): Promise<void> {
  await sql`INSERT INTO item SELECT g, 1 FROM generate_series(2000, 6000) g`
}

/** Writes log until its end is past `position`, none of it captured. */
async function writePast({ sql }: ReturnType<typeof serverDatabase>, position: bigint): Promise<void> {
  await until('the log is past it', async () => {
    await sql`SELECT pg_logical_emit_message(false, 'tests', repeat('x', 10000), true)`
    const [row] = await sql`SELECT pg_current_wal_flush_lsn() - '0/0' > ${String(position)}::numeric AS past`
    return row!.past === true
  })
}

test('set back, with a log that ends before what was captured', async () => {
  const { database, topics, copy } = await copied()
  const { sql } = database
  await captureMore({ database, topics })
  await sql`SELECT pg_logical_emit_message(false, 'tests', repeat('x', 1000000), true)`
  await captureMore({ database, topics })
  await server.restore(copy)
  const capturing = keepCapturing(database, topics)
  await expectNewEpoch(
    database,
    topics,
    capturing,
    /log ends at \S+, before \S+ where it was captured: it was set back/,
  )
  await capturing.stop()
  // The position of before is beyond the end of the log still, or again, and belongs to another epoch.
  const next = keepCapturing(database, topics)
  await until('it streams', () => next.streaming() > 0)
  await untilSame(database, topics, next)
  expect(epochOf(topics)).toBe(2)
})

test('set back, crashed before a position of the new epoch was stored: still the same new epoch, and a loss in it is noticed', async () => {
  const { database, topics, copy } = await copied()
  const { sql, slot } = database
  await sql`SELECT pg_logical_emit_message(false, 'tests', repeat('x', 1000000), true)`
  await captureMore({ database, topics })
  const before = topics.position
  await server.restore(copy)
  const capturing = keepCapturing(database, topics)
  await until('the new epoch', () => epochOf(topics) === 2)
  await untilSame(database, topics, capturing)
  await capturing.stop()
  topics.position = before
  await sql`SELECT pg_drop_replication_slot(${slot})`
  await changeUnseen(database)
  await sql`SELECT pg_create_logical_replication_slot(${slot}, 'pgoutput')`
  await expectNewEpoch(database, topics, keepCapturing(database, topics), /made anew/, 3)
})

test.each([
  ['the same again, and more', changeUnseen, changeUnseen],
  ['less of ours', insertMany, async () => {}],
  ['nothing of ours', async () => {}, async () => {}],
])('set back and written past what was captured, with %s', async (_what, changeBelow, changeBeyond) => {
  const { database, topics, copy } = await copied()
  await changeUnseen(database)
  await insertMany(database)
  const captured = await captureMore({ database, topics })
  await server.restore(copy)
  await changeBelow(database)
  await writePast(database, captured)
  await changeBeyond(database)
  const published = topics.events.length
  const capturing = keepCapturing(database, topics)
  await until('the new epoch', () => epochOf(topics) === 2)
  // In the epoch that has ended, nothing of the other history was published.
  const inOldEpoch = topics.events
    .slice(published)
    .filter((event) => event.kind === 'change' && event.change.version.epoch === 1n)
  expect(inOldEpoch).toEqual([])
  await expectNewEpoch(database, topics, capturing, /its log does not hold a transaction that was captured/)
})

test('set back before a snapshot after which nothing was changed, and written past it', async () => {
  const database = serverDatabase(server)
  const { sql, slot } = database
  await sql.unsafe(
    `DROP TABLE IF EXISTS item; SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots; ${ITEM_SQL}`,
  )
  await sql`SELECT pg_create_logical_replication_slot(${slot}, 'pgoutput')`
  const copy = await server.copyData()
  await sql`DELETE FROM item WHERE id = 9`
  // The slot's log has nothing of it: the snapshot alone tells.
  await sql`SELECT pg_replication_slot_advance(${slot}, pg_current_wal_flush_lsn())`
  const topics = createItems()
  await captureOnce(database, topics)
  const { position } = topics.position!
  await server.restore(copy)
  await writePast(database, position)
  await expectNewEpoch(
    database,
    topics,
    keepCapturing(database, topics),
    /does not hold a transaction that was captured/,
  )
})

test('held, a server written past what was captured is noticed in mid-stream, and nothing changes', async () => {
  const { database, topics, copy } = await copied()
  const captured = await captureMore({ database, topics })
  await server.restore(copy)
  await changeUnseen(database)
  await writePast(database, captured)
  await changeUnseen(database)
  const confirmed = async () => {
    const [row] =
      await database.sql`SELECT confirmed_flush_lsn::text AS at FROM pg_replication_slots WHERE slot_name = ${database.slot}`
    return row!.at
  }
  const before = { at: await confirmed(), events: topics.events.length }
  const capturing = keepCapturing(database, topics, { onLostHistory: 'hold' })
  await until('three attempts', () => capturing.failures.length >= 3)
  for (const error of capturing.failures)
    expect(error).toMatchObject({
      code: 'history-lost',
      message: expect.stringContaining('run: tributary recover shop'),
    })
  expect(capturing.streaming()).toBe(0)
  expect(topics.events.length).toBe(before.events)
  expect(await confirmed()).toBe(before.at)
  topics.values.set('recover', { epoch: 1 })
  await expectNewEpoch(database, topics, capturing, /a person asked/)
})

test('set back to where nothing was captured since goes on', async () => {
  const { database, topics, copy } = await copied()
  await changeUnseen(database)
  await server.restore(copy)
  const capturing = keepCapturing(database, topics)
  await changeUnseen(database)
  await expectSameEpoch(database, topics, capturing)
})

test('after a crash of the server the slot may stand further back; what it shows again is not published again', async () => {
  const { database, topics } = await copied()
  let mayRead = Promise.withResolvers<void>()
  mayRead.resolve()
  const capturing = keepCapturing(database, topics, { looks: false, onLoadState: () => mayRead.promise })
  // Unless the server happens to write down, every 15 s, what is confirmed.
  await until('a crash sets the slot back', async () => {
    await database.sql`CHECKPOINT`
    await changeUnseen(database)
    await untilSame(database, topics, capturing)
    await untilSettled(database, topics)
    mayRead = Promise.withResolvers<void>()
    try {
      await server.kill()
      await server.start()
      const [row] = await database.sql`
        SELECT (confirmed_flush_lsn - '0/0')::text AS at FROM pg_replication_slots WHERE slot_name = ${database.slot}`
      return BigInt(row!.at) < topics.position!.position
    } finally {
      mayRead.resolve()
    }
  })
  await expectSameEpoch(database, topics, capturing)
  expect(lost(capturing)).toEqual([])
})

test('another cluster with the same tables', async () => {
  const { database, topics } = await copied()
  const other = await startOwnPostgres()
  try {
    const there = { ...serverDatabase(other), slot: database.slot }
    await there.sql.unsafe(ITEM_SQL)
    await changeUnseen(there)
    // A slot of that name as well: someone prepared the move.
    await there.sql`SELECT pg_create_logical_replication_slot(${there.slot}, 'pgoutput')`
    await changeUnseen(there)
    const capturing = keepCapturing(there, topics)
    await expectNewEpoch(there, topics, capturing, /another database cluster \(system identifier \d+\) than the one/)
    await capturing.stop()
  } finally {
    await other.close()
  }
})

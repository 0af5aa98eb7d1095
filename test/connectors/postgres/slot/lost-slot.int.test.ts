import { afterAll, beforeAll, expect, test } from 'vitest'
import { openReader } from '../../../../connectors/postgres/stream/reader.ts'
import { type OwnPostgres, startOwnPostgres } from '../../../support/servers/own-postgres.ts'
import { type OwnDatabase, ownDatabase, until } from '../own-database.ts'
import {
  captureOnce,
  changeUnseen,
  createItems,
  epochOf,
  expectNewEpoch,
  ITEM_SQL,
  keepCapturing,
  lost,
  tableRows,
  untilSame,
  untilSettled,
} from './lost-history.ts'

/** A slot that was moved is read from once the server has seen a moment without open transactions in any database: a shared one may not. */
let server: OwnPostgres

beforeAll(async () => {
  server = await startOwnPostgres()
})
afterAll(async () => await server?.close())

/** A slot and topics of a source that was captured and is stopped. */
async function captured() {
  const database = await ownDatabase(server.url)
  await database.sql.unsafe(ITEM_SQL)
  const topics = createItems()
  await captureOnce(database, topics)
  return { database, topics }
}

const drop = ({ sql, slot }: OwnDatabase) => sql`SELECT pg_drop_replication_slot(${slot})`
const create = ({ sql, slot }: OwnDatabase) => sql`SELECT pg_create_logical_replication_slot(${slot}, 'pgoutput')`

const LOSSES: readonly (readonly [string, RegExp, (database: OwnDatabase) => Promise<void>])[] = [
  [
    'dropped while capture is stopped',
    /replication slot "\S+" does not exist any more/,
    async (database) => {
      await changeUnseen(database)
      await drop(database)
      await changeUnseen(database)
    },
  ],
  [
    'dropped and made anew under the same name',
    /stands at \S+, beyond \S+ where it was captured: it was made anew/,
    async (database) => {
      await drop(database)
      await changeUnseen(database)
      await create(database)
      await changeUnseen(database)
    },
  ],
  [
    'moved',
    /something else moved it/,
    async (database) => {
      await changeUnseen(database)
      await database.sql`SELECT pg_replication_slot_advance(${database.slot}, pg_current_wal_lsn())`
      await changeUnseen(database)
    },
  ],
]

test.each(LOSSES)('a slot that was %s: one sentence, a new epoch, nothing missing', async (_what, why, lose) => {
  const { database, topics } = await captured()
  await lose(database)
  await expectNewEpoch(database, topics, keepCapturing(database, topics), why)
})

test('a slot dropped in mid-stream is noticed as one that was dropped before', async () => {
  const { database, topics } = await captured()
  const capturing = keepCapturing(database, topics)
  await until('it streams', () => capturing.streaming() > 0)
  const { sql, slot } = database
  await until('the slot is dropped', async () => {
    await sql`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = ${slot} AND active`
    await changeUnseen(database)
    const dropped = await sql`
      SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ${slot} AND NOT active`.catch(
      () => [],
    )
    return dropped.length > 0
  })
  await expectNewEpoch(database, topics, capturing, /does not exist any more/)
})

test.each(LOSSES)('held, a slot that was %s changes nothing until a person says so', async (_what, why, lose) => {
  const { database, topics } = await captured()
  await lose(database)
  const slotNow = async () =>
    JSON.stringify(
      await database.sql`SELECT slot_name, restart_lsn::text, confirmed_flush_lsn::text FROM pg_replication_slots
      WHERE slot_name = ${database.slot}`,
    )
  const before = { slot: await slotNow(), values: JSON.stringify([...topics.values]), events: topics.events.length }
  const capturing = keepCapturing(database, topics, { onLostHistory: 'hold' })
  await until('three attempts', () => capturing.failures.length >= 3)
  for (const error of capturing.failures)
    expect(error).toMatchObject({
      code: 'history-lost',
      message: expect.stringMatching(/is held: .* run: tributary recover shop$/),
    })
  expect(capturing.failures[0]!.message).toMatch(why)
  expect(capturing.streaming()).toBe(0)
  expect(await slotNow()).toBe(before.slot)
  expect(JSON.stringify([...topics.values])).toBe(before.values)
  expect(topics.events.length).toBe(before.events)
  topics.values.set('recover', { epoch: 1 })
  await expectNewEpoch(database, topics, capturing, /a person asked for a new beginning/)
  expect(topics.values.has('recover')).toBe(false)
})

test('a recovery asked while capture runs takes effect with its next start, once', async () => {
  const { database, topics } = await captured()
  const running = keepCapturing(database, topics, { onLostHistory: 'hold' })
  await until('it streams', () => running.streaming() > 0)
  topics.values.set('recover', { epoch: 1 })
  await database.sql`INSERT INTO item VALUES (11, 0)`
  await untilSame(database, topics, running)
  expect(epochOf(topics)).toBe(1)
  await running.stop()
  const next = keepCapturing(database, topics, { onLostHistory: 'hold' })
  await expectNewEpoch(database, topics, next, /a person asked/)
  await next.stop()
  const last = keepCapturing(database, topics, { onLostHistory: 'hold' })
  await until('it streams', () => last.streaming() > 0)
  expect(epochOf(topics)).toBe(2)
})

class Crash extends Error {}

test.each([
  ['the new slot and its history', (name: string) => name === 'history'],
  ['the history and the first snapshot state', (name: string) => name.startsWith('snapshot/')],
])('a crash between %s loses nothing', async (_where, isThere) => {
  const { database, topics } = await captured()
  await changeUnseen(database)
  await drop(database)
  const crashing = keepCapturing(database, topics, {
    onEvent(event) {
      if (event.kind === 'state' && isThere(event.name)) throw new Crash(event.name)
    },
  })
  // Not an error that may pass: it ends there.
  await until('the crash', () => crashing.failures.some((error) => error instanceof Crash))
  await expect(crashing.stop()).rejects.toThrow(Crash)
  await changeUnseen(database)
  const epoch = epochOf(topics)
  const again = keepCapturing(database, topics)
  await until('the new epoch', () => epochOf(topics) === 2)
  await untilSame(database, topics, again)
  expect(lost(again)).toEqual(epoch === 1 ? [expect.stringMatching(/made anew/)] : [])
  await again.stop()
  const last = keepCapturing(database, topics)
  await until('it streams', () => last.streaming() > 0)
  expect(epochOf(topics)).toBe(2)
})

test('of two that start at once on a lost slot one begins the new epoch, and the other goes on in it', async () => {
  const { database, topics } = await captured()
  await changeUnseen(database)
  await drop(database)
  // Each has seen that there is no slot before either makes one.
  const bothSaw = Promise.withResolvers<void>()
  let seen = 0
  const onLoadState = async () => {
    if (++seen === 2) bothSaw.resolve()
    await bothSaw.promise
  }
  const both = [keepCapturing(database, topics, { onLoadState }), keepCapturing(database, topics, { onLoadState })]
  await until('the new epoch', () => epochOf(topics) === 2)
  await untilSame(database, topics)
  const isStreaming = both.findIndex((one) => one.streaming() > 0)
  const [first, second] = isStreaming === 0 ? [both[0]!, both[1]!] : [both[1]!, both[0]!]
  expect(second.streaming()).toBe(0)
  await untilSettled(database, topics)
  await first.stop()
  await database.sql`INSERT INTO item VALUES (12, 0)`
  await until('the other goes on', () => second.streaming() > 0)
  await untilSame(database, topics, second)
  expect(epochOf(topics)).toBe(2)
  expect([...lost(first), ...lost(second)]).toHaveLength(1)
})

test('of two that start at once on a fresh database one begins, and the other waits', async () => {
  const database = await ownDatabase(server.url)
  await database.sql.unsafe(ITEM_SQL)
  const topics = createItems()
  // Each has seen that there is no publication before either makes one.
  const bothWait = Promise.withResolvers<void>()
  const locked = database.sql.begin(async (sql) => {
    await sql`LOCK TABLE pg_catalog.pg_publication IN SHARE MODE`
    await bothWait.promise
  })
  const both = [keepCapturing(database, topics), keepCapturing(database, topics)]
  await until('both are making the publication', async () => {
    const waiting = await database.sql`
      SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'CREATE PUBLICATION%'`
    return waiting.length === 2
  })
  bothWait.resolve()
  await locked
  await untilSame(database, topics)
  await until('one streams', () => both.some((one) => one.streaming() > 0))
  const first = both.find((one) => one.streaming() > 0)!
  const second = both.find((one) => one !== first)!
  await untilSettled(database, topics)
  expect(second.streaming()).toBe(0)
  await first.stop()
  await changeUnseen(database)
  await until('the other goes on', () => second.streaming() > 0)
  await untilSame(database, topics)
  expect(epochOf(topics)).toBe(1)
  expect([...topics.rows.keys()].length).toBe((await tableRows(database)).size)
  expect([...lost(first), ...lost(second)]).toEqual([])
  expect([...first.failures, ...second.failures]).toEqual([])
})

test('a slot that another reader just moved on is waited for, and then known as moved', async () => {
  const { database, topics } = await captured()
  await changeUnseen(database)
  const [now] = await database.sql<{ at: string }[]>`SELECT (pg_current_wal_lsn() - '0/0')::text AS at`
  const { url, slot } = database
  const other = await openReader({
    url,
    application: 'other',
    slot,
    publication: 'tributary',
    settled: () => BigInt(now!.at),
  })
  const capturing = keepCapturing(database, topics)
  await until('it was moved', async () => {
    const [row] = await database.sql`
      SELECT confirmed_flush_lsn - '0/0' >= ${now!.at}::numeric AS moved FROM pg_replication_slots WHERE slot_name = ${slot}`
    return row!.moved
  })
  await other.close()
  await expectNewEpoch(database, topics, capturing, /something else moved it/)
})

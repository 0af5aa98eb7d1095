import postgres from 'postgres'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import type { Notice } from '../../../../connectors/postgres/notice.ts'
import { newSlotMemory } from '../../../../connectors/postgres/slot/slot-memory.ts'
import { loadRetention, type SlotHealth, startWatch } from '../../../../connectors/postgres/slot/watch.ts'
import { keepAliveEnd, openReader } from '../../../../connectors/postgres/stream/reader.ts'
import { type OwnPostgres, startOwnPostgres } from '../../../support/servers/own-postgres.ts'
import { until } from '../own-database.ts'

/** Small files of log, so that a limit is soon reached. */
const LIMIT_MB = 16
const MB = 1024 * 1024

let server: OwnPostgres
let sql: postgres.Sql

beforeAll(async () => {
  server = await startOwnPostgres({
    walSegmentMB: 1,
    settings: { max_slot_wal_keep_size: `${LIMIT_MB}MB`, wal_keep_size: '0', max_prepared_transactions: '2' },
  })
  sql = postgres(server.url, { max: 5, onnotice: () => {} })
})
afterAll(async () => {
  await sql.end({ timeout: 2 })
  await server.close()
})

async function newSlot(slot: string): Promise<void> {
  await sql`SELECT pg_create_logical_replication_slot(${slot}, 'pgoutput', failover => true)`
  onTestFinished(async () => {
    await sql`SELECT pg_drop_replication_slot(${slot})`
  })
}

function watch(slot: string, warnBytes = 1024 * MB, memory = newSlotMemory()) {
  const notices: Notice[] = []
  const healths: (SlotHealth | null)[] = []
  const watching = startWatch({
    sql,
    slot,
    warnBytes,
    memory,
    everyMs: 20,
    onNotice: (notice) => notices.push(notice),
    onSlotHealth: (health) => healths.push(health),
  })
  onTestFinished(() => watching.close())
  return { notices, healths, watching }
}

async function writeLog(megabytes: number): Promise<void> {
  for (let written = 0; written < megabytes; written++)
    await sql`SELECT pg_logical_emit_message(false, 'filler', repeat('x', ${MB}), true)`
}

it('warns at each level while log piles up, before the server gives the slot up, and says then that it did', async () => {
  await newSlot('piling')
  const { notices, healths } = watch('piling')
  await until('the slot was seen', () => healths.length > 0)
  for (const [megabytes, warnings] of [
    [7, 0],
    [2, 1],
    [4, 2],
    [2, 3],
  ] as const) {
    await writeLog(megabytes)
    const looks = healths.length
    await until('two more looks', () => healths.length > looks + 1)
    expect(notices).toHaveLength(warnings)
    expect(healths.at(-1)).toMatchObject({ limitBytes: LIMIT_MB * MB, walStatus: expect.not.stringMatching('lost') })
  }
  expect(notices.map(({ code, level }) => [code, level])).toEqual(Array(3).fill(['wal-retained', 'warn']))
  expect(notices[0]!.message).toMatch(
    /^replication slot "piling" keeps \S+ MB of log, 5\d % of the 16 MB .*: nobody reads it; start /,
  )
  await writeLog(5)
  await sql`CHECKPOINT`
  await until('the loss is told', () => notices.length === 4)
  expect(notices[3]).toMatchObject({ code: 'slot-given-up', level: 'warn' })
  expect(healths.at(-1)).toMatchObject({ walStatus: 'lost' })
})

it('says that log is kept for a reader that is gone, from the declared size on, at a server without a limit; not again when capture starts again', async () => {
  await sql`ALTER SYSTEM SET max_slot_wal_keep_size = -1`
  await sql`SELECT pg_reload_conf()`
  await newSlot('unlimited')
  const memory = newSlotMemory()
  const { notices, healths } = watch('unlimited', 2 * MB, memory)
  await writeLog(3)
  await until('it is told', () => notices.length > 0)
  expect(notices[0]!.message).toContain(
    'has no limit (max_slot_wal_keep_size) before its disk is full: nobody reads it',
  )
  expect(healths.at(-1)).toMatchObject({ limitBytes: null })
})

it('names the old open transaction because of which log is kept although all is confirmed, and not its query', async () => {
  const opener = postgres(server.url, { max: 1, connection: { application_name: 'nightly report' } })
  onTestFinished(() => opener.end({ timeout: 2 }))
  await newSlot('confirmed')
  await sql`CREATE PUBLICATION everything FOR ALL TABLES`
  await opener`BEGIN`
  const [open] = await opener`SELECT pg_backend_pid() AS pid, pg_current_xact_id()`
  let confirmed = 0n
  const reader = await openReader({
    url: server.url,
    application: 'watch test',
    slot: 'confirmed',
    publication: 'everything',
    settled: () => confirmed,
    statusIntervalMs: 20,
  })
  const reading = (async () => {
    for (;;)
      for (const message of await reader.read()) {
        confirmed = keepAliveEnd(message) ?? confirmed
      }
  })()
  reading.catch(() => {}) // it ends with the reader
  onTestFinished(async () => {
    await reader.close()
    await until('the slot is free', async () => !(await loadRetention(sql, 'confirmed'))!.active)
  })
  await writeLog(9)
  await until('all is confirmed', async () => {
    reader.requestKeepAlive()
    return (await loadRetention(sql, 'confirmed'))!.unconfirmedBytes < MB
  })
  const { notices } = watch('confirmed', 2 * MB)
  await until('it is told', () => notices.length > 0)
  expect(notices[0]!.message).toMatch(
    new RegExp(
      `a transaction of server process ${open!.pid} \\(application nightly report\\) is open for \\d+ s and may still need it`,
    ),
  )
  await opener`PREPARE TRANSACTION 'report'`
  expect((await loadRetention(sql, 'confirmed'))!.oldestTransaction).toMatchObject({ pid: null })
  await opener`ROLLBACK PREPARED 'report'`
  expect((await loadRetention(sql, 'confirmed'))!.oldestTransaction).toBeNull()
})

it('needs no more rights than capture; only since when a transaction is open takes pg_monitor', async () => {
  await sql`CREATE ROLE capturing LOGIN REPLICATION PASSWORD 'capturing'`
  const opener = postgres(server.url, { max: 1 })
  const url = new URL(server.url)
  url.username = 'capturing'
  url.password = 'capturing'
  const asRole = postgres(url.href, { max: 1 })
  onTestFinished(async () => {
    await Promise.all([opener.end({ timeout: 2 }), asRole.end({ timeout: 2 })])
    await sql`DROP ROLE capturing`
  })
  await newSlot('modest')
  await opener`BEGIN`
  await opener`SELECT pg_current_xact_id()`
  const all = await loadRetention(sql, 'modest')
  expect(await loadRetention(asRole, 'modest')).toMatchObject({
    walStatus: all!.walStatus,
    oldestTransaction: { pid: all!.oldestTransaction!.pid, ageSeconds: null },
  })
  await sql`GRANT pg_monitor TO capturing`
  expect((await loadRetention(asRole, 'modest'))!.oldestTransaction!.ageSeconds).toBeGreaterThanOrEqual(0)
  await opener`ROLLBACK`
})

it('tells of a slot that a failover would lose', async () => {
  await sql`SELECT pg_create_logical_replication_slot('plain', 'pgoutput')`
  onTestFinished(async () => {
    await sql`SELECT pg_drop_replication_slot('plain')`
  })
  const { notices, healths } = watch('plain')
  await until('three looks', () => healths.length > 2)
  expect(notices.map(({ code }) => code)).toEqual(['slot-without-failover'])
})

it('tells a slot that does not exist as such, and a failing look once', async () => {
  const { notices, healths, watching } = watch('missing')
  await until('two looks', () => healths.length > 1)
  expect(healths[0]).toBeNull()
  await server.stop('fast')
  await until('the failure is told', () => notices.length > 0)
  await server.start()
  const looks = healths.length
  await until('it looks again', () => healths.length > looks)
  expect(notices.map(({ code }) => code)).toEqual(['slot-unwatched'])
  watching.close()
})

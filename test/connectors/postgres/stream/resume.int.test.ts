import postgres from 'postgres'
import { expect, test } from 'vitest'
import type { Notice } from '../../../../connectors/postgres/notice.ts'
import { openReader } from '../../../../connectors/postgres/stream/reader.ts'
import type { SourceEvent } from '../../../../connectors/source.ts'
import {
  collect,
  entityOf,
  hasChange,
  isSnapshotDone,
  type OwnDatabase,
  ownDatabase,
  sourceFor,
  until,
} from '../own-database.ts'

const ITEM = entityOf('item', { id: 'int32', n: 'int64' })

async function items() {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE item (id int PRIMARY KEY, n bigint)`
  await database.sql`ALTER TABLE item REPLICA IDENTITY FULL`
  const notices: Notice[] = []
  const source = sourceFor(database, [ITEM], { onNotice: (notice) => notices.push(notice) })
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  await seen.stop()
  return { ...database, source, topics: seen.topics, notices }
}

async function confirmed(database: OwnDatabase): Promise<bigint> {
  const [row] = await database.sql<{ at: string }[]>`
    SELECT (confirmed_flush_lsn - '0/0')::text AS at FROM pg_replication_slots WHERE slot_name = ${database.slot}`
  return BigInt(row!.at)
}

const keys = (events: readonly SourceEvent[]) =>
  events.flatMap((event) => (event.kind === 'change' ? [event.change.key] : []))

test('what was not acknowledged is sent again, with the same versions; what was is not', async () => {
  const { sql, source, topics, ...database } = await items()
  for (const id of [1, 2, 3, 4]) await sql`INSERT INTO item VALUES (${id}, 0)`
  const first = collect(source, topics, false)
  await first.until('all', hasChange('4'))
  await first.stop()
  const again = collect(source, topics, false)
  await again.until('all', hasChange('4'))
  expect(again.changes().map(({ version }) => version)).toEqual(first.changes().map(({ version }) => version))
  // A progress for half of it: as if Kafka held the first two only.
  const half = again.changes()[2]!.version.position
  await again.stop()
  const third = collect(source, topics, false)
  await third.until('all', hasChange('4'))
  const progress = third.events.flatMap((event) => (event.kind === 'progress' ? [event.position] : [])).at(-1)!
  expect(progress).toBeGreaterThan(half)
  // Commit 3 starts where commit 2 was over, so its start is a position that covers exactly two.
  source.acknowledge(half)
  await until('the server knows', async () => (await confirmed({ sql, ...database })) === half)
  await third.stop()
  const rest = collect(source, topics, false)
  await rest.until('the rest', hasChange('4'))
  expect(keys(rest.events)).toEqual(['3', '4'])
})

test('a connection cut by the server is an error to retry that keeps the reason, and nothing is lost', async () => {
  const { sql, source, topics, slot } = await items()
  const first = collect(source, topics, false)
  await sql`INSERT INTO item VALUES (1, 0)`
  await first.until('the row', hasChange('1'))
  await sql`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = ${slot}`
  await first.ended
  expect(first.failure()).toMatchObject({
    code: 'source-unreachable',
    fate: 'retry',
    message: expect.stringContaining('57P01'),
  })
  await sql`INSERT INTO item VALUES (2, 0)`
  const again = collect(source, topics)
  await again.until('both', hasChange('2'))
  expect(keys(again.events)).toEqual(['1', '2'])
})

test('a transaction without captured rows yields no change, and is passed over once nothing is outstanding', async () => {
  const { sql, source, topics, ...database } = await items()
  await sql`CREATE TABLE busy (id int PRIMARY KEY)`
  const seen = collect(source, topics, false)
  await sql`INSERT INTO item VALUES (1, 0)`
  await seen.until('progress', (events) => events.at(-1)?.kind === 'progress' && hasChange('1')(events))
  const progress = seen.events.flatMap((event) => (event.kind === 'progress' ? [event.position] : [])).at(-1)!
  for (let id = 0; id < 50; id++) await sql`INSERT INTO busy VALUES (${id})`
  // Flushes, so that it lies behind all of them in the log's files.
  const [busy] = await sql<{ at: string }[]>`
    SELECT (pg_logical_emit_message(false, 'tests', '', true) - '0/0')::text AS at`
  // The server asks for an answer by now, and gets one that confirms nothing beyond what is settled.
  expect(await confirmed({ sql, ...database })).toBeLessThan(progress)
  await until('the slot passes the busy table', async () => {
    // What a keep-alive covers is told as progress too.
    for (const event of seen.events) if (event.kind === 'progress') source.acknowledge(event.position)
    return (await confirmed({ sql, ...database })) >= BigInt(busy!.at)
  })
})

test('a stalled consumer holds the server up, keeps memory flat, and gets everything later', async () => {
  const { sql, source, topics, slot } = await items()
  const rowsWritten = 60_000
  await sql`ALTER TABLE item ADD pad text`
  // Many transactions: what the server reports as sent moves with each.
  for (let first = 1; first < rowsWritten; first += 1_000)
    await sql`INSERT INTO item SELECT g, 0, repeat('x', 1500) FROM generate_series(${first}::int, ${first + 999}::int) g`
  const sending = async () => {
    const [row] = await sql<{ sent: string; unsent: string }[]>`
      SELECT sent_lsn::text AS sent, (pg_current_wal_lsn() - sent_lsn)::text AS unsent
      FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid, pg_sleep(0.2)
      WHERE s.slot_name = ${slot}`
    return row!
  }
  const abort = new AbortController()
  let rows = 0
  let stalled = false
  for await (const batch of source.events(topics.context(), abort.signal)) {
    rows += batch.filter((event) => event.kind === 'change').length
    if (rows > 0 && !stalled) {
      stalled = true
      const before = process.memoryUsage().rss
      let { sent } = await sending()
      await until('the server sends nothing more', async () => {
        const last = sent
        sent = (await sending()).sent
        return sent === last
      })
      // Socket buffers and one batch are out; the rest is still the server's to send.
      expect(Number((await sending()).unsent)).toBeGreaterThan(50 * 1_048_576)
      expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1_048_576)
    }
    if (rows === rowsWritten) abort.abort()
  }
  expect(rows).toBe(rowsWritten)
})

test('while nothing is read, the server still hears from us and does not give us up', async () => {
  const { sql, url, slot } = await items()
  await sql`INSERT INTO item SELECT g, 0 FROM generate_series(1, 100000) g`
  const reader = await openReader({
    url,
    application: 'stalled',
    slot,
    publication: 'tributary',
    settled: () => 0n,
    senderTimeoutMs: 2_000,
    statusIntervalMs: 200,
  })
  const since = await sql`SELECT clock_timestamp()::text AS at`
  await until('three time-outs have passed', async () => {
    const [row] = await sql`SELECT clock_timestamp() - ${since[0]!.at}::timestamptz > interval '6 s' AS passed`
    return row!.passed
  })
  const [active] = await sql`SELECT active FROM pg_replication_slots WHERE slot_name = ${slot}`
  expect(active!.active).toBe(true)
  let messages = 0
  while (messages < 100_002) messages += (await reader.read()).filter((message) => message[0] === 0x77).length
  await reader.close()
})

test('a slot that another process reads is waited for, and its holder named', async () => {
  const { sql, source, topics, slot, url, notices } = await items()
  const other = await openReader({
    url,
    application: 'the other capture',
    slot,
    publication: 'tributary',
    settled: () => 0n,
  })
  const seen = collect(source, topics)
  await until('the notice', () => notices.some(({ code }) => code === 'slot-in-use'))
  expect(notices.at(-1)!.message).toMatch(/server process \d+ \(application the other capture\)/)
  await other.close()
  await sql`INSERT INTO item VALUES (1, 0)`
  await seen.until('it takes over', hasChange('1'))
})

test('a slot whose reader is just going away is waited for', async () => {
  const { sql, source, topics, slot, url } = await items()
  const other = await openReader({ url, application: 'dying', slot, publication: 'tributary', settled: () => 0n })
  const seen = collect(source, topics)
  await sql`INSERT INTO item VALUES (1, 0)`
  await until('the other one has it', async () => (await other.read()).length > 0)
  await other.close()
  await seen.until('the row', hasChange('1'))
})

test('status tells whether it is read, where it stands and how far behind', async () => {
  const { sql, source, topics } = await items()
  const seen = collect(source, topics)
  await sql`INSERT INTO item VALUES (1, 0)`
  await seen.until('the row', hasChange('1'))
  const reading = await source.status()
  expect(reading).toMatchObject({ active: true, slot: 'streaming', position: expect.stringMatching(/^[0-9A-F]+\//) })
  await seen.stop()
  await until('it is idle', async () => !(await source.status()).active)
  await sql`INSERT INTO item SELECT g, 0 FROM generate_series(2, 1000) g`
  const idle = await source.status()
  expect(idle.slot).toBe('idle')
  expect(idle.lagBytes).toBeGreaterThan(50_000)
})

test('a server that cannot be reached, a wrong password and a bad address say so without the password', async () => {
  const { url } = await items()
  const nowhere = new URL(url)
  nowhere.port = '1'
  nowhere.password = 'hunter2'
  const source = sourceFor({ url: nowhere.href, slot: 's', sql: postgres(url) }, [ITEM])
  const error = await source.prepare().catch((raised: unknown) => raised as Error)
  expect(error).toMatchObject({ code: 'source-unreachable', fate: 'retry' })
  expect(String(error) + String((error as Error).cause)).not.toContain('hunter2')
  expect(() => sourceFor({ url: 'postgres://u:hunter2@host:port/x', slot: 's', sql: postgres(url) }, [ITEM])).toThrow(
    expect.objectContaining({ code: 'declaration-invalid', message: expect.not.stringContaining('hunter2') }),
  )
})

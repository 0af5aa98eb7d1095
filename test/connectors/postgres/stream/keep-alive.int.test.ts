import net from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import {
  openReader,
  type Reader,
  type ReaderOptions,
  WAL_DATA,
  WAL_DATA_HEADER_BYTES,
} from '../../../../connectors/postgres/stream/reader.ts'
import { type OwnDatabase, ownDatabase, until } from '../own-database.ts'

const SENDER_TIMEOUT_MS = 2_000
const STATUS_INTERVAL_MS = 200
/** More than fits into the buffers of two sockets and of a batch that is read ahead. */
const BACKLOG_ROWS = 20_000
const INSERT = 0x49

async function slotWithTables(): Promise<OwnDatabase> {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE item (id bigint PRIMARY KEY, filler text)`
  await database.sql`CREATE TABLE other (id bigint, filler text)`
  await database.sql`CREATE PUBLICATION tributary FOR TABLE item`
  await database.sql`SELECT pg_create_logical_replication_slot(${database.slot}, 'pgoutput')`
  return database
}

async function open({ url, slot }: OwnDatabase, more: Partial<ReaderOptions> = {}): Promise<Reader> {
  const reader = await openReader({
    url,
    slot,
    publication: 'tributary',
    application: 'keep-alive test',
    settled: () => 0n,
    senderTimeoutMs: SENDER_TIMEOUT_MS,
    statusIntervalMs: STATUS_INTERVAL_MS,
    ...more,
  })
  onTestFinished(() => reader.close())
  return reader
}

/** Waits until the server has heard from a reader for three times as long as it waits for one that says nothing. */
async function untilServerWaitedLong({ sql, slot }: OwnDatabase): Promise<void> {
  const from = Date.now()
  await until('the server hears from the reader all the time', async () => {
    const [row] = await sql`SELECT reply_time > to_timestamp(${(from + 3 * SENDER_TIMEOUT_MS) / 1_000}) AS heard
      FROM pg_stat_replication JOIN pg_replication_slots ON active_pid = pid WHERE slot_name = ${slot}`
    if (row === undefined) throw new Error('the server gave the reader up')
    return row.heard === true
  })
}

async function readRows(reader: Reader, rows: number): Promise<number> {
  let seen = 0
  while (seen < rows)
    for (const message of await reader.read())
      if (message[0] === WAL_DATA && message[WAL_DATA_HEADER_BYTES] === INSERT) seen++
  return seen
}

const makeBacklog = ({ sql }: OwnDatabase) =>
  sql`INSERT INTO item SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, ${BACKLOG_ROWS}) AS i`

test('a consumer that is slow for longer than the server waits keeps its connection', async () => {
  const database = await slotWithTables()
  await makeBacklog(database)
  const reader = await open(database)
  await untilServerWaitedLong(database)
  expect(await readRows(reader, BACKLOG_ROWS)).toBe(BACKLOG_ROWS)
})

test('without status updates the server gives a slow consumer up: what the test above stands on', async () => {
  const database = await slotWithTables()
  await makeBacklog(database)
  const reader = await open(database, { statusIntervalMs: 600_000 })
  await until('the slot is free', async () => {
    const [row] = await database.sql`SELECT active FROM pg_replication_slots WHERE slot_name = ${database.slot}`
    return row?.active === false
  })
  await expect(readRows(reader, BACKLOG_ROWS)).rejects.toThrow()
})

test('a server that says nothing for longer than it waits itself is not given up', async () => {
  const database = await slotWithTables()
  const wire = await holdableWire(database.url)
  const reader = await open({ ...database, url: wire.url })
  wire.hold()
  await database.sql`INSERT INTO item VALUES (1, 'said late')`
  await untilServerWaitedLong(database)
  wire.release()
  expect(await readRows(reader, 1)).toBe(1)
})

test('a large transaction that the server reads and has nothing to send of keeps the connection', async () => {
  const database = await slotWithTables()
  const reader = await open(database, { senderTimeoutMs: 500, statusIntervalMs: 100 })
  await database.sql`INSERT INTO other SELECT i, 'not published' FROM generate_series(1, 600000) AS i`
  await database.sql`INSERT INTO item VALUES (1, 'after it')`
  expect(await readRows(reader, 1)).toBe(1)
})

/** A way to the server on which its words can be held back, while ours go through. */
async function holdableWire(url: string): Promise<{ url: string; hold(): void; release(): void }> {
  const target = new URL(url)
  const port = Number(target.port)
  const servers: net.Socket[] = []
  const sockets: net.Socket[] = []
  const listener = net.createServer((client) => {
    const server = net.connect(port, target.hostname)
    for (const socket of [client, server]) socket.on('error', () => {})
    client.pipe(server).pipe(client)
    servers.push(server)
    sockets.push(client, server)
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  target.port = String((listener.address() as net.AddressInfo).port)
  return {
    url: target.href,
    hold: () => {
      for (const server of servers) server.pause()
    },
    release: () => {
      for (const server of servers) server.resume()
    },
  }
}

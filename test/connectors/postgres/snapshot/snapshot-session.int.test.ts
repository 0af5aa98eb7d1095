import { expect, test } from 'vitest'
import { readChunk } from '../../../../connectors/postgres/snapshot/read-chunk.ts'
import { openSnapshotSession } from '../../../../connectors/postgres/snapshot/session.ts'
import { TributaryError } from '../../../../schemas/errors.ts'
import { entityOf, type OwnDatabase, ownDatabase, until } from '../own-database.ts'
import { APPLICATION, chunkOptions, locate, sessionOf } from './snapshot-reading.ts'

const SLEEP = 'SELECT pg_sleep(600)'
/** Far more than the sockets' own buffers, so the server has to wait for a reader that does not read. */
const MANY_ROWS = `SELECT g, repeat('x', 1000) FROM generate_series(1, 1000000) g`
/** Of one row of 1 MB: what is collected, what the package holds, and what the system's sockets do. */
const OUTSTANDING_BYTES_MAX = 5 * 1_048_576

async function backends(database: OwnDatabase): Promise<readonly { pid: number; state: string; query: string }[]> {
  return database.sql<{ pid: number; state: string; query: string }[]>`
    SELECT pid, state, query FROM pg_stat_activity WHERE application_name = ${APPLICATION} AND datname = current_database()`
}

async function kill(database: OwnDatabase): Promise<void> {
  await database.sql`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = ${APPLICATION} AND datname = current_database()`
}

function untilGone(database: OwnDatabase): Promise<void> {
  return until('the server process of the session is gone', async () => (await backends(database)).length === 0)
}

function untilRunning(database: OwnDatabase, statement: string): Promise<void> {
  return until('the statement runs', async () =>
    (await backends(database)).some(({ state, query }) => state === 'active' && query.includes(statement)),
  )
}

async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no error',
    (error: unknown) => error,
  )
}

const unreachable = expect.objectContaining({ name: 'TributaryError', code: 'source-unreachable' })

async function drain(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

test('after a copy that was read slowly, whose end came with its last rows, the next answer is heard', async () => {
  const database = await ownDatabase()
  // Together more than is read ahead, each less.
  await database.sql`CREATE TABLE item AS SELECT g AS id, repeat('x', 4000 + g * 1400) AS body FROM generate_series(1, 20) g`
  const session = await sessionOf(database)
  const { signal } = new AbortController()
  for (let round = 0; round < 40; round++) {
    for await (const _ of session.copy('SELECT id, body FROM item ORDER BY id', signal))
      await new Promise((resolve) => setTimeout(resolve, round % 3))
    expect((await session.query('SELECT 1'))[0]!.toString()).toBe('1')
  }
  await session.end()
}, 60_000)

test('everything is read as of the snapshot, query after copy after query', async () => {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE item AS SELECT g AS id FROM generate_series(1, 3) g`
  const session = await sessionOf(database)
  await database.sql`DELETE FROM item`
  const { signal } = new AbortController()
  for (let round = 0; round < 3; round++) {
    const [row] = await session.query(`SELECT count(*), NULL FROM item`)
    expect(row!.map((value) => value?.toString() ?? null)).toEqual(['3', null])
    expect((await drain(session.copy('SELECT id FROM item ORDER BY id', signal))).toString()).toBe('1\n2\n3\n')
    expect((await drain(session.copy('SELECT id FROM item LIMIT 0', signal))).toString()).toBe('')
  }
})

test('a connection killed in mid-COPY fails the reader, busy or waiting, and no other connection takes its place', async () => {
  const database = await ownDatabase()
  for (const wait of [true, false]) {
    const session = await sessionOf(database)
    const pieces = session.copy(
      wait ? `SELECT 1 UNION ALL ${SLEEP.replace('pg_sleep(600)', 'length(pg_sleep(600)::text)')}` : MANY_ROWS,
      new AbortController().signal,
    )
    if (!wait) await pieces.next()
    const waiting = wait ? outcome(drain(pieces)) : undefined
    if (wait) await untilRunning(database, 'COPY')
    await kill(database)
    const failed = await (waiting ?? outcome(drain(pieces)))
    expect(failed).toEqual(unreachable)
    expect(await outcome(session.query('SELECT 1'))).toEqual(unreachable)
    expect(await outcome(drain(session.copy('SELECT 1', new AbortController().signal)))).toEqual(unreachable)
    await untilGone(database)
    await session.end()
  }
})

test('a connection killed while a query waits fails it, with what the server said last', async () => {
  const database = await ownDatabase()
  const session = await sessionOf(database)
  const waiting = outcome(session.query(SLEEP))
  await untilRunning(database, SLEEP)
  await kill(database)
  expect(await waiting).toEqual(unreachable)
  expect(String(await waiting)).toMatch(/terminating connection due to administrator command \(57P01\)/)
})

test('of many queries that wait on a connection that is killed, none runs on another', async () => {
  const database = await ownDatabase()
  const session = await sessionOf(database)
  // More than the package sends at once.
  const waiting = Array.from({ length: 300 }, () => outcome(session.query(SLEEP)))
  await untilRunning(database, SLEEP)
  await kill(database)
  for (const failed of await Promise.all(waiting)) expect(failed).toEqual(unreachable)
  await untilGone(database)
  // Time for the package to connect again, which it does within some milliseconds if it may.
  await database.sql`SELECT pg_sleep(0.5)`
  expect(await backends(database)).toEqual([])
})

test('a connection killed while idle fails what is asked next', async () => {
  const database = await ownDatabase()
  const session = await sessionOf(database)
  await kill(database)
  await untilGone(database)
  expect(await outcome(session.query('SELECT 1'))).toEqual(unreachable)
  expect(await backends(database)).toEqual([])
})

test('an error in the very first row of a COPY is thrown to its reader', async () => {
  const database = await ownDatabase()
  for (const select of [
    'SELECT 1/(g - 1) FROM generate_series(1, 3) g',
    'SELECT 1/(g - 9) FROM generate_series(1, 9) g',
  ]) {
    const session = await sessionOf(database)
    const failed = await outcome(drain(session.copy(select, new AbortController().signal)))
    expect(failed).toBeInstanceOf(TributaryError)
    expect(String(failed)).toMatch(/error 22012/)
  }
  const session = await sessionOf(database)
  const failed = await outcome(drain(session.copy('SELECT * FROM nowhere', new AbortController().signal)))
  expect(failed).toMatchObject({ code: 'source-unsuitable', message: expect.stringMatching(/42P01/) })
})

test('an abort ends a COPY whether the server computes, waits for the reader, or has not begun, and cancels it there', async () => {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE held (id int PRIMARY KEY)`
  for (const how of ['computes', 'waits', 'locked', 'before'] as const) {
    const session = await sessionOf(database)
    const abort = new AbortController()
    if (how === 'before') {
      abort.abort()
      expect(await outcome(drain(session.copy('SELECT 1', abort.signal)))).toEqual(unreachable)
      expect((await session.query('SELECT 1')).length).toBe(1)
      await session.end()
      continue
    }
    const release = Promise.withResolvers<void>()
    const locked = Promise.withResolvers<void>()
    const holder = database.sql.begin(async (tx) => {
      if (how === 'locked') await tx`LOCK TABLE held`
      locked.resolve()
      await release.promise
    })
    await locked.promise
    const pieces = session.copy({ computes: SLEEP, waits: MANY_ROWS, locked: 'SELECT * FROM held' }[how], abort.signal)
    if (how === 'waits') await pieces.next()
    const waiting = how === 'waits' ? undefined : outcome(drain(pieces))
    await untilRunning(database, 'COPY')
    abort.abort()
    expect(await (waiting ?? outcome(drain(pieces))), how).toEqual(unreachable)
    await untilGone(database)
    release.resolve()
    await holder
  }
})

test('a COPY that is left before its end is canceled with its session', async () => {
  const database = await ownDatabase()
  const session = await sessionOf(database)
  for await (const piece of session.copy(MANY_ROWS, new AbortController().signal)) {
    expect(piece.length).toBeGreaterThan(0)
    break
  }
  await untilGone(database)
  expect(await outcome(session.query('SELECT 1'))).toEqual(unreachable)
})

test('end cancels what runs, fails what waits, and may be called again', async () => {
  const database = await ownDatabase()
  const session = await sessionOf(database)
  const waiting = outcome(session.query(SLEEP))
  await untilRunning(database, SLEEP)
  await Promise.all([session.end(), session.end()])
  expect(await waiting).toEqual(unreachable)
  await untilGone(database)
  await session.end()
  expect(await outcome(session.query('SELECT 1'))).toEqual(unreachable)
})

test('a snapshot whose exporter is gone can be tried again with another; a server that is not there, too', async () => {
  const database = await ownDatabase()
  for (const name of ['00000003-00000001-1', "no such'\\ snapshot"])
    expect(await outcome(openSnapshotSession(database.url, APPLICATION, name))).toEqual(
      expect.objectContaining({
        code: 'source-unreachable',
        message: expect.stringMatching(/exported a snapshot is over/),
      }),
    )
  await untilGone(database)
  const nowhere = new URL(database.url)
  nowhere.port = '1'
  expect(await outcome(openSnapshotSession(nowhere.href, APPLICATION, 'x'))).toEqual(unreachable)
})

test('200 rows of 1 MB in one chunk: while the reader is busy the server waits, with a few rows in between', async () => {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE item (id int PRIMARY KEY, body text)`
  await database.sql`INSERT INTO item SELECT g, repeat('x', 1048576) FROM generate_series(1, 200) g`
  const { table, plan, facts } = await locate(database, entityOf('item', { id: 'int32', body: 'string' }))
  const session = await sessionOf(database)
  const request = { after: null, where: [], rows: 1_000 }
  let used = 0
  let most = 0
  const chunk = readChunk(session, table, plan, facts, request, chunkOptions())
  for (let next = await chunk.next(); ; next = await chunk.next()) {
    if (next.done) {
      expect(next.value).toBe(true)
      break
    }
    expect(next.value.events.length).toBe(1)
    used += next.value.events.length
    if (used % 20 === 0) {
      // The reader is busy until nothing more comes.
      let before = -1
      let quiet = 0
      await until('the socket is paused', () => {
        const now = session.bytesRead()
        quiet = now === before ? quiet + 1 : 0
        before = now
        return quiet === 5
      })
    }
    most = Math.max(most, session.bytesRead() - used * 1_048_576)
  }
  expect(used).toBe(200)
  expect(most).toBeLessThan(OUTSTANDING_BYTES_MAX)
  console.info(`most outstanding: ${most} bytes`)
})

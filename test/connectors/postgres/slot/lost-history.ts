import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { expect, onTestFinished } from 'vitest'
import type { Notice } from '../../../../connectors/postgres/notice.ts'
import type { PostgresSourceOptions } from '../../../../connectors/postgres/source.ts'
import type { Source, SourceEvent } from '../../../../connectors/source.ts'
import { fateOf } from '../../../../schemas/errors.ts'
import { compareVersions, type Version } from '../../../../schemas/version.ts'
import { isAway } from '../../../chaos/workload/away.ts'
import type { OwnPostgres } from '../../../support/servers/own-postgres.ts'
import { createTopics, entityOf, type OwnDatabase, sourceFor, type Topics, until } from '../own-database.ts'

export const ITEM = entityOf('item', { id: 'int32', n: 'int64' })
export const ITEM_SQL = `
CREATE TABLE item (id int PRIMARY KEY, n bigint);
ALTER TABLE item REPLICA IDENTITY FULL;
INSERT INTO item SELECT g, 0 FROM generate_series(1, 10) g`

/** A database `postgres` of a server of the test's own; what it opens is closed with the test. */
export function serverDatabase(server: OwnPostgres): OwnDatabase {
  // Types are a query of the library's own: when the server is ended during it, that rejects where nobody listens.
  const sql = postgres(server.url, { max: 4, onnotice: () => {}, prepare: false, fetch_types: false })
  onTestFinished(() => sql.end({ timeout: 2 }))
  return { url: server.url, sql, slot: `s_${randomBytes(4).toString('hex')}` }
}

/** The same, with the table as it is at the beginning and without the slots of a test before. */
export async function freshItems(server: OwnPostgres): Promise<OwnDatabase> {
  const database = serverDatabase(server)
  await database.sql.unsafe(
    `DROP TABLE IF EXISTS item; SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots; ${ITEM_SQL}`,
  )
  return database
}

/** Topics that remember values too: what a subscriber would have in the end. */
export interface Published extends Topics {
  /** Key → its last value; keys that were deleted are not in it. */
  readonly rows: Map<string, bigint>
  /** Keys whose later record had a lower version, and positions lower than one before. */
  readonly stale: string[]
  readonly events: SourceEvent[]
}

export function createItems(): Published {
  const topics = createTopics()
  const take = topics.take
  const rows = new Map<string, bigint>()
  const versions = new Map<string, Version>()
  const stale: string[] = []
  const events: SourceEvent[] = []
  return Object.assign(topics, {
    rows,
    stale,
    events,
    take(event: SourceEvent) {
      events.push(event)
      // Within one epoch and timeline.
      const mark = event.kind === 'progress' ? event.mark!.split('/', 2).join('/') : ''
      if (event.kind === 'progress' && topics.position?.mark?.startsWith(`${mark}/`))
        if (event.position < topics.position.position) stale.push(`position ${event.position}`)
      if (event.kind === 'change') {
        const { change } = event
        const before = versions.get(change.key)
        if (before !== undefined && compareVersions(change.version, before) < 0) stale.push(change.key)
        versions.set(change.key, change.version)
        if (change.op === 'delete') rows.delete(change.key)
        else rows.set(change.key, change.after.n as bigint)
      }
      take(event)
    },
  })
}

export interface Capturing {
  readonly notices: Notice[]
  readonly failures: Error[]
  /** How often the source told that it streams. */
  streaming(): number
  /** @throws what ended it before */
  stop(): Promise<void>
}

const RETRY_MS = 100
/**
 * A slot that was moved can be read from once the server has seen a moment without open transactions, in any database, which it looks for
 * every 15 s of its own accord. On a shared server there may be none for minutes: a test that moves slots has a server of its own.
 */
const LOOK_EVERY_MS = 500

/** Captures as the pipeline does: a new source after each error that may pass. Any other ends it, and fails the test. */
export function keepCapturing(
  database: OwnDatabase,
  topics: Topics,
  more: Partial<PostgresSourceOptions> & {
    readonly onEvent?: (event: SourceEvent) => Promise<void> | void
    /** Before the state is loaded: to let something happen at that point. */
    readonly onLoadState?: () => Promise<void>
    /** Whether the server is asked for its looks, with which it also writes down how far the slot is confirmed. */
    readonly looks?: boolean
  } = {},
): Capturing {
  const { onEvent, onLoadState, looks = true, ...options } = more
  const notices: Notice[] = []
  const failures: Error[] = []
  const stop = new AbortController()
  let streaming = 0
  const attempt = async (source: Source) => {
    await source.prepare()
    const context = {
      ...topics.context(),
      onStreaming: () => void streaming++,
      async loadState() {
        await onLoadState?.()
        return topics.context().loadState()
      },
      async takeOver() {
        await onLoadState?.()
        return topics.context().takeOver()
      },
    }
    for await (const batch of source.events(context, stop.signal))
      for (const event of batch) {
        await onEvent?.(event)
        topics.take(event)
        if (event.kind === 'progress') source.acknowledge(event.position)
      }
  }
  const ended = (async () => {
    while (!stop.signal.aborted) {
      const source = sourceFor(database, [ITEM], { onNotice: (notice) => notices.push(notice), ...options })
      try {
        await attempt(source)
      } catch (error) {
        failures.push(error as Error)
        if (fateOf(error) !== 'retry') throw error
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      } finally {
        await source.close()
      }
    }
  })()
  ended.catch(() => {})
  let isHeard = false
  const looking = setInterval(() => {
    if (looks) database.sql`SELECT pg_log_standby_snapshot()`.catch(() => {})
  }, LOOK_EVERY_MS)
  onTestFinished(async () => {
    clearInterval(looking)
    stop.abort()
    await ended.catch((error) => {
      if (!isHeard) throw error
    })
  })
  return {
    notices,
    failures,
    streaming: () => streaming,
    async stop() {
      isHeard = true
      stop.abort()
      await ended
    },
  }
}

export async function tableRows({ sql }: OwnDatabase): Promise<Map<string, bigint>> {
  const rows = await sql<{ id: number; n: string }[]>`SELECT id, n FROM item`
  return new Map(rows.map(({ id, n }) => [String(id), BigInt(n)]))
}

function sorted(rows: ReadonlyMap<string, bigint>): string {
  return [...rows]
    .map(([key, n]) => `${key}=${n}`)
    .sort()
    .join(' ')
}

export async function untilSame(database: OwnDatabase, topics: Published, capturing?: Capturing): Promise<void> {
  let there = ''
  let table = ''
  await until('the topic is as the table', async () => {
    // A session that was open before the server was set back may be the one that is asked.
    const rows = await tableRows(database).catch((error) => {
      if (!isAway(error)) throw error
      return null
    })
    if (rows === null) return false
    table = sorted(rows)
    there = sorted(topics.rows)
    return there === table
  }).catch((error: Error) => {
    const told = [...(capturing?.notices ?? []), ...(capturing?.failures ?? [])].map(({ message }) => message)
    throw new Error(`${error.message}\ntable: ${table}\ntopic: ${there}\n${told.join('\n')}`)
  })
  expect(topics.stale).toEqual([])
}

export function epochOf(topics: Topics): number {
  return (topics.values.get('history') as { epoch: number } | undefined)?.epoch ?? 0
}

/** The sentences told about a lost history. */
export function lost({ notices }: Capturing): string[] {
  return notices.filter(({ code }) => code === 'history-lost').map(({ message }) => message)
}

/** Captures until the first snapshot is there, and stops, with everything acknowledged. */
export async function captureOnce(database: OwnDatabase, topics: Published): Promise<void> {
  const capturing = keepCapturing(database, topics)
  await untilSame(database, topics, capturing)
  await untilSettled(database, topics)
  await capturing.stop()
}

/** Waits until what was committed so far is in the stored position. */
export async function untilSettled({ sql }: OwnDatabase, topics: Topics): Promise<void> {
  const [now] = await sql<{ at: string }[]>`SELECT (pg_current_wal_insert_lsn() - '0/0')::text AS at`
  await until('it is settled', async () => {
    // Something for the server to report.
    await sql`SELECT pg_logical_emit_message(false, 'tests', '')`
    return (topics.position?.position ?? 0n) >= BigInt(now!.at)
  })
}

/** In one epoch: every row read again, a row changed, one added and one deleted meanwhile. */
export async function changeUnseen({ sql }: OwnDatabase): Promise<void> {
  await sql`UPDATE item SET n = n + 1 WHERE id % 3 = 0`
  await sql`DELETE FROM item WHERE id IN (2, 5)`
  await sql`INSERT INTO item VALUES (${100 + Math.floor(Math.random() * 1e6)}, 7)`
}

/** What must hold after a loss was noticed: one sentence, one epoch more, every row again, and the topic as the table. */
export async function expectNewEpoch(
  database: OwnDatabase,
  topics: Published,
  capturing: Capturing,
  why: RegExp,
  epoch = 2,
): Promise<void> {
  await until('the new epoch', () => epochOf(topics) === epoch).catch((error) => {
    throw new Error(`${error.message}: ${epochOf(topics)}\n${capturing.failures.join('\n')}`)
  })
  await untilSame(database, topics, capturing)
  await database.sql`INSERT INTO item VALUES (999999999, 1)`
  await untilSame(database, topics, capturing)
  await database.sql`DELETE FROM item WHERE id = 999999999`
  await untilSame(database, topics, capturing)
  expect(lost(capturing)).toEqual([expect.stringMatching(why)])
  expect(epochOf(topics)).toBe(epoch)
  const again = topics.events.flatMap((event) =>
    event.kind === 'change' && event.change.op === 'snapshot' && event.change.version.epoch === BigInt(epoch)
      ? [event.change.key]
      : [],
  )
  const present = (await tableRows(database)).keys()
  expect([...present].filter((key) => !again.includes(key) && Number(key) <= 10)).toEqual([])
}

/** What must hold where nothing was lost: the same epoch, no sentence, no row read again. */
export async function expectSameEpoch(database: OwnDatabase, topics: Published, capturing: Capturing): Promise<void> {
  const snapshots = () =>
    topics.events.filter((event) => event.kind === 'change' && event.change.op === 'snapshot').length
  const before = snapshots()
  await database.sql`INSERT INTO item VALUES (999999999, 1)`
  await untilSame(database, topics, capturing)
  await database.sql`DELETE FROM item WHERE id = 999999999`
  await untilSame(database, topics, capturing)
  await untilSettled(database, topics)
  expect(lost(capturing)).toEqual([])
  expect(epochOf(topics)).toBe(1)
  expect(snapshots()).toBe(before)
}

import type { CapturedTable } from '../captured-table.ts'
import { loadServer, type ServerFacts } from '../catalog/catalog.ts'
import { type Examined, examine, type Inspection, locateAll } from '../catalog/inspect.ts'
import { type ComparedPublication, comparePublication } from '../catalog/publication.ts'
import { openPool, type Sql } from '../connection.ts'
import { failure } from '../failure.ts'
import { type FailoverFacts, loadFailover } from '../slot/failover.ts'
import type { Retention } from '../slot/retention.ts'
import { checkOwner, loadSlot, type SlotFacts } from '../slot/slot.ts'
import { loadRetention } from '../slot/watch.ts'
import { loadRights, type RightsFacts } from './rights.ts'
import { loadRoom, type RoomFacts } from './room.ts'

export interface CheckedSource {
  readonly name: string
  readonly url: string
  readonly slot: string
  readonly publication: string
  readonly tables: readonly CapturedTable[]
}

/** What a server's clock said, and when it was asked; all in ms since 1970, the last two by our own clock. */
export interface ClockReading {
  readonly theirMs: number
  readonly sentMs: number
  readonly heardMs: number
}

export interface ServerAnswer {
  readonly server: ServerFacts
  readonly clock: ClockReading
}

export interface SlotAnswer {
  /** Undefined without a slot of that name. */
  readonly slot: SlotFacts | undefined
  readonly retention: Retention | undefined
  readonly failover: FailoverFacts | undefined
}

/**
 * Questions about a source from outside, each by itself, so that one without an answer leaves the others. They change nothing.
 * Each throws TributaryError `source-unreachable`, `source-unsuitable`.
 */
export interface Checkup {
  server(): Promise<ServerAnswer>
  tables(): Promise<{ readonly server: ServerFacts; readonly tables: readonly Examined[] }>
  /** Beside the tables that have no findings. */
  publication(): Promise<ComparedPublication>
  /** Throws `source-unsuitable` where the slot's name belongs to something else. */
  slot(): Promise<SlotAnswer>
  room(): Promise<RoomFacts>
  rights(): Promise<RightsFacts>
  close(): Promise<void>
}

const CLOSE_WAIT_SECONDS = 2

/** @throws TributaryError `declaration-invalid` when the url is no address */
export function openCheckup({ name, url, slot, publication, tables }: CheckedSource): Checkup {
  const sql = openPool(url, `tributary doctor ${name}`)
  const attempt = async <T>(what: string, run: () => Promise<T>): Promise<T> => {
    try {
      return await run()
    } catch (error) {
      throw failure(`looking at ${what} of source "${name}"`, error)
    }
  }
  let examined: ReturnType<typeof examine> | undefined
  const examineOnce = () => {
    examined ??= examine(sql, tables)
    return examined
  }
  return {
    server: () => attempt('the server', async () => ({ server: await loadServer(sql), clock: await readClock(sql) })),
    tables: () => attempt('the tables', examineOnce),
    publication: () =>
      attempt('the publication', async () => {
        const { server, types, tables: all } = await examineOnce()
        const suited = all.filter(({ findings }) => findings.length === 0)
        const inspection: Inspection = { server, types, ...locateAll(suited, types) }
        return await comparePublication(sql, publication, inspection)
      }),
    slot: () =>
      attempt('the slot', async () => {
        const facts = await loadSlot(sql, slot)
        if (facts !== undefined) checkOwner(slot, facts, (await loadServer(sql)).database)
        return { slot: facts, retention: await loadRetention(sql, slot), failover: await loadFailover(sql, slot) }
      }),
    room: () => attempt('the limits', () => loadRoom(sql)),
    rights: () => attempt('the rights', () => loadRights(sql)),
    close: () => sql.end({ timeout: CLOSE_WAIT_SECONDS }),
  }
}

/** On a connection that is there already, so that the way to the server is all that it takes. */
async function readClock(sql: Sql): Promise<ClockReading> {
  const sentMs = Date.now()
  const [row] = await sql<{ ms: number }[]>`SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms`
  return { theirMs: row!.ms, sentMs, heardMs: Date.now() }
}

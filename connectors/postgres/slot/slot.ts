import { TributaryError } from '../../../schemas/errors.ts'
import type { SourceStatus } from '../../source.ts'
import type { Sql } from '../connection.ts'
import { failure } from '../failure.ts'
import { formatLsn, parseLsn } from '../lsn.ts'
import type { OnNotice } from '../notice.ts'
import { canFailOver } from './failover.ts'

/** A row of pg_replication_slots, with what newer releases add. */
export interface SlotFacts {
  readonly plugin: string | null
  readonly slot_type: string
  readonly database: string | null
  readonly temporary: boolean
  readonly active: boolean
  readonly active_pid: number | null
  readonly confirmed_flush_lsn: bigint | null
  readonly wal_status: string | null
  readonly invalidation_reason?: string | null
}

export interface Place {
  /** The cluster's system identifier. */
  readonly system: string
  readonly timeline: number
  /** The end of the log now. */
  readonly end: bigint
  readonly database: string
}

/** Slot names as PostgreSQL takes them. */
const SLOT_NAME = /^[a-z0-9_]{1,63}$/

/**
 * Whether the slot is one of ours.
 * @throws TributaryError `source-unsuitable` when the name is taken by something else
 */
export function checkOwner(slot: string, facts: SlotFacts, database: string): void {
  // Without a plug-in it is just being made.
  const isPgoutput = facts.plugin === 'pgoutput' || facts.plugin === ''
  if (facts.slot_type === 'logical' && isPgoutput && facts.database === database && !facts.temporary) return
  throw new TributaryError(
    'source-unsuitable',
    `replication slot "${slot}" belongs to something else (${facts.slot_type}, plug-in ${facts.plugin ?? 'none'}, ` +
      `database ${facts.database ?? 'none'}). Choose another name for this source's slot`,
  )
}

export async function loadSlot(sql: Sql, slot: string): Promise<SlotFacts | undefined> {
  const [row] = await sql<{ facts: SlotFacts & { readonly confirmed_flush_lsn: string | null } }[]>`
    SELECT to_jsonb(s) AS facts FROM pg_replication_slots s WHERE slot_name = ${slot}`
  if (row === undefined) return undefined
  const confirmed = row.facts.confirmed_flush_lsn
  return { ...row.facts, confirmed_flush_lsn: confirmed === null ? null : (parseLsn(confirmed) ?? null) }
}

export async function loadPlace(sql: Sql): Promise<Place> {
  // Right after a promotion the control file still names the old timeline; the log's own file names do not.
  const [row] = await sql<{ system: string; timeline: number; end: string; database: string }[]>`
    SELECT system_identifier::text AS system, current_database() AS database,
      CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
        ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int END AS timeline,
      (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END)::text AS "end"
    FROM pg_control_system()`
  return { ...row!, end: parseLsn(row!.end)! }
}

/** After this long a notice says what a slot waits for. */
const WAIT_NOTICE_MS = 5_000

/** Runs what makes a slot; when it waits for open transactions of the server, of any database, a notice names them. */
export async function tellIfWaiting<T>(sql: Sql, what: string, onNotice: OnNotice, run: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => {
    describeRunning(sql).then(
      (names) => onNotice({ code: 'slot-waits', message: `${what} waits for transactions that are open: ${names}` }),
      // Only a notice: what is wrong shows in the wait's own end.
      () => {},
    )
  }, WAIT_NOTICE_MS)
  try {
    return await run()
  } finally {
    clearTimeout(timer)
  }
}

async function describeRunning(sql: Sql): Promise<string> {
  const rows = await sql<{ pid: number; application: string }[]>`
    SELECT pid, coalesce(nullif(application_name, ''), 'without a name') AS application FROM pg_stat_activity
    WHERE backend_xid IS NOT NULL ORDER BY xact_start LIMIT 10`
  return (
    rows.map((row) => `server process ${row.pid} (application ${row.application})`).join(', ') || 'they have just ended'
  )
}

/**
 * Makes the slot, as one that standbys bring along (a failover slot) where the server has them. It waits until the transactions that run
 * now have ended; `signal` cancels it.
 * @throws TributaryError
 */
export async function createSlot(sql: Sql, slot: string, signal: AbortSignal): Promise<void> {
  checkSlotName(slot)
  // Its wait for transactions is one for locks to the server, and may last.
  const withoutLimit = sql`WITH wait AS MATERIALIZED (SELECT set_config('lock_timeout', '0', true))`
  const query = (await canFailOver(sql))
    ? sql`${withoutLimit} SELECT pg_create_logical_replication_slot(${slot}, 'pgoutput', failover => true) FROM wait`
    : sql`${withoutLimit} SELECT pg_create_logical_replication_slot(${slot}, 'pgoutput') FROM wait`
  await cancelable(sql, query, signal, `creating the replication slot "${slot}"`)
}

export function checkSlotName(slot: string): void {
  if (!SLOT_NAME.test(slot))
    throw new TributaryError(
      'declaration-invalid',
      `"${slot}" cannot be a slot's name: 1 to 63 of a to z, 0 to 9 and _`,
    )
}

/** Removes a slot that the server has given up; nothing can be read from it any more. One that another has made in its place stays. */
export async function dropSlot(sql: Sql, slot: string): Promise<void> {
  await sql`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots s WHERE slot_name = ${slot} AND NOT active
    AND (wal_status = 'lost' OR to_jsonb(s) ->> 'invalidation_reason' IS NOT NULL)`
}

/**
 * Runs a query that may wait long; aborting cancels it at the server too. A server, or a way to it, that is silent hears of no cancel: some
 * seconds after the abort the query is given up, and its connection is for the caller to close.
 */
export async function cancelable<T>(sql: Sql, query: PromiseLike<T>, signal: AbortSignal, doing: string): Promise<T> {
  let again: NodeJS.Timeout | undefined
  let last: NodeJS.Timeout | undefined
  const { promise: givenUp, reject: giveUp } = Promise.withResolvers<never>()
  const cancel = () => {
    last ??= setTimeout(giveUp, CANCEL_WAIT_MS, new Error('it was called off, and the server did not answer'))
    // Until it has ended: the query may not have reached a server process yet.
    again ??= setInterval(cancel, CANCEL_AGAIN_MS)
    // Not the package's own cancel(): its failure could not be caught.
    const pid = (query as { state?: { pid: number | null } | null }).state?.pid
    // When the server cannot be asked, the query has failed on its own.
    if (pid) sql`SELECT pg_cancel_backend(${pid})`.catch(() => {})
  }
  signal.addEventListener('abort', cancel, { once: true })
  if (signal.aborted) cancel()
  try {
    return await Promise.race([query, givenUp])
  } catch (error) {
    throw failure(doing, error)
  } finally {
    clearInterval(again)
    clearTimeout(last)
    signal.removeEventListener('abort', cancel)
  }
}

const CANCEL_AGAIN_MS = 250
/** How long a query that was called off may take to end. */
const CANCEL_WAIT_MS = 3_000

/** Who holds the slot, for a message: a process number and the name it gave itself. */
export async function describeHolder(sql: Sql, slot: string): Promise<string> {
  const [row] = await sql<{ pid: number; application: string }[]>`
    SELECT s.active_pid AS pid, coalesce(nullif(a.application_name, ''), 'without a name') AS application
    FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid
    WHERE s.slot_name = ${slot} AND s.active_pid IS NOT NULL`
  return row === undefined
    ? 'a process that has ended meanwhile'
    : `server process ${row.pid} (application ${row.application})`
}

/**
 * How old what we have not confirmed is: what the server measures while the slot is read, and how long nobody has read it otherwise.
 * @returns null when the server does not tell (before PostgreSQL 17 for a slot that nobody reads)
 */
export async function loadLagSeconds(sql: Sql, slot: string): Promise<number | null> {
  const [row] = await sql<{ seconds: number | null }[]>`
    SELECT (CASE WHEN s.active THEN coalesce(extract(epoch FROM r.flush_lag), 0)
      ELSE extract(epoch FROM now() - (to_jsonb(s) ->> 'inactive_since')::timestamptz) END)::float8 AS seconds
    FROM pg_replication_slots s LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid
    WHERE s.slot_name = ${slot}`
  return row?.seconds ?? null
}

/** @param end the end of the server's log */
export function describeSlot(facts: SlotFacts | undefined, end: bigint, lagSeconds: number | null): SourceStatus {
  if (facts === undefined) return { active: false, slot: 'missing', position: null, lagBytes: null, lagSeconds: null }
  const confirmed = facts.confirmed_flush_lsn
  const lagBytes = confirmed === null ? null : Number(end > confirmed ? end - confirmed : 0n)
  return {
    active: facts.active,
    slot: isGone(facts) ? 'lost' : facts.active ? 'streaming' : 'idle',
    position: confirmed === null ? null : formatLsn(confirmed),
    lagBytes,
    lagSeconds: lagBytes === 0 ? 0 : lagSeconds,
  }
}

/** Whether the server has given the slot up. */
export function isGone(facts: SlotFacts): boolean {
  return facts.wal_status === 'lost' || (facts.invalidation_reason ?? null) !== null
}

import type { Sql } from '../connection.ts'
import { failure } from '../failure.ts'
import type { Notice } from '../notice.ts'

/** From this release on a standby can bring logical slots along ("logical replication failover" in PostgreSQL's manual). */
const FAILOVER_SLOTS_SINCE_VERSION = 170_000

/**
 * Whether a failover slot can be made at this server. A standby refuses them: it has those of its primary.
 * @throws TributaryError
 */
export async function canFailOver(sql: Sql): Promise<boolean> {
  try {
    const [row] = await sql<{ version: number; recovers: boolean }[]>`
      SELECT current_setting('server_version_num')::int AS version, pg_is_in_recovery() AS recovers`
    return row!.version >= FAILOVER_SLOTS_SINCE_VERSION && !row!.recovers
  } catch (error) {
    throw failure('asking for the release of the server', error)
  }
}

/** What a look at the slot and its server tells of failover. */
export interface FailoverFacts {
  readonly slot: string
  readonly canFailOver: boolean
  readonly failover: boolean
  readonly active: boolean
  /** Physical slots, as standbys read them. */
  readonly standbys: number
}

/** @returns undefined when there is no such slot */
export async function loadFailover(sql: Sql, slot: string): Promise<FailoverFacts | undefined> {
  const [row] = await sql<{ failover: boolean; active: boolean; standbys: number }[]>`
    SELECT coalesce((to_jsonb(s) ->> 'failover')::boolean, false) AS failover, s.active,
      (SELECT count(*)::int FROM pg_replication_slots WHERE slot_type = 'physical') AS standbys
    FROM pg_replication_slots s WHERE s.slot_name = ${slot}`
  return row === undefined ? undefined : { slot, canFailOver: await canFailOver(sql), ...row }
}

/** What to tell of a slot that a failover would lose although it need not; undefined otherwise. Pure. */
export function failoverNotice({ slot, canFailOver, failover, active, standbys }: FailoverFacts): Notice | undefined {
  if (!canFailOver || failover) return undefined
  const lostThen = standbys > 0 ? 'The server has standbys: a' : 'A'
  return {
    code: 'slot-without-failover',
    level: standbys > 0 ? 'warn' : 'info',
    message:
      `replication slot "${slot}" is not a failover slot. ${lostThen} failover would lose it, and everything would be read anew. ` +
      `${active ? 'While capture is stopped, run' : 'Run'} this over a replication connection ` +
      `(psql "… replication=database"): ALTER_REPLICATION_SLOT ${slot} ( FAILOVER true )`,
  }
}

import type { Sql } from '../connection.ts'
import { failure } from '../failure.ts'
import type { OnNotice } from '../notice.ts'
import { failoverNotice, loadFailover } from './failover.ts'
import { judgeRetention, type Retention } from './retention.ts'
import { newSlotMemory, type SlotMemory } from './slot-memory.ts'

const LOOK_EVERY_MS = 10_000
/** A look that takes longer is told as failed. The next one still waits for its end: never are there two. */
const LOOK_WITHIN_MS = 20_000

/** For metrics. */
export interface SlotHealth {
  /** What the server keeps because of the slot. */
  readonly retainedBytes: number
  /** What it keeps at most before it gives the slot up; null without a limit. */
  readonly limitBytes: number | null
  /** reserved, extended, unreserved or lost. */
  readonly walStatus: string
}

export interface SlotWatchOptions {
  readonly sql: Sql
  readonly slot: string
  readonly onNotice: OnNotice
  /** After each look; null while there is no such slot. */
  readonly onSlotHealth?: ((health: SlotHealth | null) => void) | undefined
  /** Where the warnings begin at a server without `max_slot_wal_keep_size`. */
  readonly warnBytes: number
  /** Default: nothing was told yet. */
  readonly memory?: SlotMemory | undefined
  /** For tests. */
  readonly everyMs?: number
}

export interface SlotWatch {
  /** Nothing is told after it. A look under way ends with its pool. Idempotent. */
  close(): void
}

/**
 * Looks at the slot every ten seconds, beginning now, and tells long before the server gives it up. Never throws: a look that fails is told
 * as a notice, once until one succeeds again. The first look also tells of a slot that a failover would lose although it need not.
 */
export function startWatch(options: SlotWatchOptions): SlotWatch {
  const { sql, slot, onNotice, onSlotHealth = () => {}, warnBytes, everyMs = LOOK_EVERY_MS } = options
  const memory = options.memory ?? newSlotMemory()
  let closed = false
  let timer: NodeJS.Timeout | undefined

  const tellFailed = (reason: string) => {
    if (closed || memory.unwatched) return
    memory.unwatched = true
    onNotice({
      code: 'slot-unwatched',
      level: 'warn',
      message: `the log kept for slot "${slot}" is not watched for now. ${reason}`,
    })
  }

  const look = async () => {
    const late = setTimeout(
      () => tellFailed(`The server has not answered for ${LOOK_WITHIN_MS / 1000} s.`),
      LOOK_WITHIN_MS,
    )
    try {
      const seen = await loadRetention(sql, slot)
      const failover = seen === undefined || memory.failover ? undefined : await loadFailover(sql, slot)
      if (closed) return
      memory.unwatched = false
      onSlotHealth(seen ?? null)
      if (failover !== undefined) {
        memory.failover = true
        const notice = failoverNotice(failover)
        if (notice !== undefined) onNotice(notice)
      }
      if (seen === undefined) return
      const { told, notice } = judgeRetention(slot, seen, memory.retention, warnBytes)
      memory.retention = told
      if (notice !== undefined) onNotice(notice)
    } catch (error) {
      tellFailed(failure(`looking at slot "${slot}"`, error).message)
    } finally {
      clearTimeout(late)
      if (!closed) timer = setTimeout(look, everyMs)
    }
  }
  void look()

  return {
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}

interface RetentionRow {
  readonly retained: string | null
  readonly unconfirmed: string | null
  readonly unsent: string | null
  readonly max_slot_mb: number
  readonly keep_mb: number
  readonly facts: {
    readonly active: boolean
    readonly wal_status: string | null
    readonly safe_wal_size: number | null
    readonly invalidation_reason?: string | null
  }
  readonly pid: number | null
  readonly application: string | null
  readonly age: number | null
}

/**
 * One look at the slot. Works on a standby too.
 * @returns undefined when there is no such slot
 */
export async function loadRetention(sql: Sql, slot: string): Promise<Retention | undefined> {
  // Some of these columns are newer than PostgreSQL 14, hence the row as JSON. When others' transactions began shows only to pg_monitor, so
  // that the oldest is found by its number.
  const [row] = await sql<RetentionRow[]>`
    WITH log AS (
      SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS "end"
    ), open AS (
      SELECT pid, coalesce(nullif(application_name, ''), 'without a name') AS application, xact_start AS since,
        age(backend_xid) AS transactions
      FROM pg_stat_activity WHERE backend_xid IS NOT NULL
      UNION ALL
      SELECT NULL, 'number ' || transaction::text || ' of database ' || database, prepared,
        age(transaction) FROM pg_prepared_xacts
      ORDER BY transactions DESC LIMIT 1
    )
    SELECT greatest(log."end" - s.restart_lsn, 0)::text AS retained,
      greatest(log."end" - s.confirmed_flush_lsn, 0)::text AS unconfirmed,
      greatest(log."end" - r.sent_lsn, 0)::text AS unsent,
      (SELECT setting::int FROM pg_settings WHERE name = 'max_slot_wal_keep_size') AS max_slot_mb,
      (SELECT setting::int FROM pg_settings WHERE name = 'wal_keep_size') AS keep_mb,
      to_jsonb(s) AS facts,
      o.pid, o.application, extract(epoch FROM clock_timestamp() - o.since)::float8 AS age
    FROM pg_replication_slots s CROSS JOIN log
      LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid LEFT JOIN open o ON true
    WHERE s.slot_name = ${slot}`
  return row === undefined ? undefined : retentionOf(row)
}

const MEGABYTE = 1024 * 1024

function retentionOf({ facts, ...row }: RetentionRow): Retention {
  return {
    // A slot that was given up has no restart_lsn any more.
    retainedBytes: Number(row.retained ?? 0),
    unconfirmedBytes: Number(row.unconfirmed ?? 0),
    unsentBytes: row.unsent === null ? null : Number(row.unsent),
    // What wal_keep_size keeps anyway, no slot is given up for.
    limitBytes: row.max_slot_mb < 0 ? null : Math.max(row.max_slot_mb, row.keep_mb) * MEGABYTE,
    safeBytes: facts.safe_wal_size,
    walStatus: facts.wal_status ?? 'unknown',
    invalidation: facts.invalidation_reason ?? null,
    active: facts.active,
    oldestTransaction:
      row.application === null ? null : { pid: row.pid, application: row.application, ageSeconds: row.age },
  }
}

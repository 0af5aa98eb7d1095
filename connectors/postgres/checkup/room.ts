import type { Sql } from '../connection.ts'

/** What of a server's limits is taken. Whoever may log in may ask. */
export interface RoomFacts {
  readonly slots: number
  /** Of these, how many nobody reads. */
  readonly idleSlots: number
  readonly slotsMax: number
  /** Senders of the log: whoever streams, standbys and backups too. */
  readonly senders: number
  readonly sendersMax: number
  readonly connections: number
  readonly connectionsMax: number
}

export async function loadRoom(sql: Sql): Promise<RoomFacts> {
  const [row] = await sql<RoomFacts[]>`
    SELECT (SELECT count(*)::int FROM pg_replication_slots) AS "slots",
      (SELECT count(*)::int FROM pg_replication_slots WHERE NOT active) AS "idleSlots",
      current_setting('max_replication_slots')::int AS "slotsMax",
      (SELECT count(*)::int FROM pg_stat_replication) AS "senders", current_setting('max_wal_senders')::int AS "sendersMax",
      (SELECT sum(numbackends)::int FROM pg_stat_database) AS "connections", current_setting('max_connections')::int AS "connectionsMax"`
  return row!
}

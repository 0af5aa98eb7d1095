import type { Sql } from '../connection.ts'

/** Rights that the role has beside those of its tables. */
export interface RightsFacts {
  readonly role: string
  /** Whether it may write heartbeats and requests to the log. */
  readonly mayEmit: boolean
  /** What writes them, as GRANT names it. */
  readonly emitFunction: string
  /** Whether it sees for how long the transactions of others have been open. */
  readonly seesOthers: boolean
}

export async function loadRights(sql: Sql): Promise<RightsFacts> {
  const [row] = await sql<RightsFacts[]>`
    SELECT current_user AS "role", has_function_privilege(p.oid, 'EXECUTE') AS "mayEmit",
      p.oid::regprocedure::text AS "emitFunction", pg_has_role('pg_monitor', 'MEMBER') AS "seesOthers"
    FROM pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = 'pg_logical_emit_message'
      AND p.proargtypes[2] = 'text'::regtype`
  return row!
}

import type { Sql } from 'postgres'
import type { Action } from './plan.ts'
import { type ErpTable, type Statement, statementsOf } from './statements.ts'

/** One committed row change. `key` is the primary key's parts as text. */
export interface WorkloadChange {
  readonly table: ErpTable
  readonly op: Statement['op']
  readonly key: readonly string[]
}

/**
 * Carries one action out in a transaction of its own: its statements go in one message, which PostgreSQL runs as one transaction
 * ("Multiple Statements in a Simple Query" of its protocol's documentation).
 * Not `sql.begin`: when the connection breaks inside it, postgres 3.4.9 sends the rollback to a socket that is gone, in a timer, and that
 * exception ends the process.
 * @returns what was committed; empty for a transaction that was meant to be rolled back
 * @throws what `postgres` throws
 */
export async function perform(sql: Sql, action: Action): Promise<readonly WorkloadChange[]> {
  const statements = statementsOf(action)
  const texts = statements.map((statement) => statement.sql)
  if (action.kind === 'rolled-back') {
    // Begun explicitly, as rolling back an implicit transaction writes a warning to the server's log; not with BEGIN, which the
    // library refuses outside of sql.begin because the next query could take another connection. Here it is all one message.
    await sql.unsafe(['START TRANSACTION', ...texts, 'ROLLBACK'].join(';\n')).simple()
    return []
  }
  const answer = await sql.unsafe(texts.join(';\n')).simple()
  // One statement is answered by its rows, several by a list of them.
  const results = (statements.length === 1 ? [answer] : answer) as readonly (readonly object[])[]
  return statements.flatMap(({ table, op }, at) =>
    results[at]!.map((row) => ({ table, op, key: Object.values(row).map(String) })),
  )
}

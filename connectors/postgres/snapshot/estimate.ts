import { TributaryError } from '../../../schemas/errors.ts'
import type { LocatedTable } from '../captured-table.ts'
import { fromTable } from '../row-plan.ts'
import { type Condition, conditionsSql } from './condition.ts'
import type { SnapshotSession } from './session.ts'

/** A table that is estimated smaller is counted. */
const COUNT_ROWS_MAX = 10_000

/**
 * How many rows of a table a snapshot reads: the planner's estimate, which also knows tables that were never analyzed; an exact count
 * where the table is small. Asked once a snapshot; for one with a filter also the server's word on whether it can be asked at all.
 * @throws TributaryError `filter-invalid` when the server refuses the conditions; then the session's transaction is over
 */
export async function estimateRows(
  session: Pick<SnapshotSession, 'query'>,
  table: LocatedTable,
  where: readonly Condition[] = [],
): Promise<number> {
  const from = fromTable(table)
  const all = await planRows(session, `SELECT 1 FROM ${from}`)
  const filtered = `${from}${where.length === 0 ? '' : ` WHERE ${conditionsSql(where, table)}`}`
  try {
    if (all <= COUNT_ROWS_MAX) {
      const [counted] = await session.query(`SELECT count(*) FROM ${filtered}`)
      return Number(counted?.[0]?.toString('latin1'))
    }
    return where.length === 0 ? all : await planRows(session, `SELECT 1 FROM ${filtered}`)
  } catch (error) {
    // The table itself was read above: what the server does not read now is the filter.
    if (where.length > 0 && error instanceof TributaryError && error.code === 'source-unsuitable')
      throw new TributaryError(
        'filter-invalid',
        `the source cannot be asked for ${describe(where)}. ${error.message}`,
        {
          cause: error,
        },
      )
    throw error
  }
}

async function planRows(session: Pick<SnapshotSession, 'query'>, select: string): Promise<number> {
  const rows = await session.query(`EXPLAIN (FORMAT JSON) ${select}`)
  const plan = JSON.parse(rows.map((row) => row[0]?.toString('utf8')).join('\n')) as { Plan: { 'Plan Rows': number } }[]
  return plan[0]?.Plan['Plan Rows'] ?? 0
}

/** Without the values: they may be personal. */
function describe(where: readonly Condition[]): string {
  return where.map(({ field, op }) => `${field}${op}…`).join(', ')
}

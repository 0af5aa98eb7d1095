import { systemCode, TributaryError } from '../../../schemas/errors.ts'
import type { LocatedTable } from '../captured-table.ts'
import { fromTable } from '../row-plan.ts'
import type { SnapshotSession } from './session.ts'

/** How long the stream holds for a lock that someone else has. */
const LOCK_WAIT_MS = 1_000
const SAVEPOINT = 'tributary_hold'

/**
 * Takes the lock that reading needs until the session ends, and says whether the table can be read as of the session's snapshot. Not when it
 * was rewritten after the point: TRUNCATE and the forms of ALTER TABLE that write rows anew make a table look empty to older snapshots
 * ("Caveats" of the manual's chapter on concurrency), and a sweep would delete every key. As of a later point it can be read.
 */
export async function holdTable(
  session: Pick<SnapshotSession, 'query'>,
  table: LocatedTable,
): Promise<'held' | 'locked' | 'rewritten'> {
  await session.query(`SAVEPOINT ${SAVEPOINT}`)
  try {
    await session.query(`SET LOCAL lock_timeout = ${LOCK_WAIT_MS}`)
    // Planned, so that partitions are locked too. LOCK TABLE would want a right to the whole table, where that to its columns will do.
    await session.query(`SELECT FROM ${fromTable(table)} LIMIT 0`)
  } catch (error) {
    if (!isLockTimeout(error)) throw error
    await session.query(`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`)
    return 'locked'
  }
  await session.query(`RELEASE SAVEPOINT ${SAVEPOINT}`)
  // The query sees the catalogue as of the snapshot, the function as it is now.
  const rewritten = await session.query(
    `SELECT FROM pg_class WHERE (oid = ${table.oid} OR oid IN (SELECT relid FROM pg_partition_tree(${table.oid}))) ` +
      'AND relfilenode <> pg_relation_filenode(oid) LIMIT 1',
  )
  return rewritten.length > 0 ? 'rewritten' : 'held'
}

function isLockTimeout(error: unknown): boolean {
  return error instanceof TributaryError && systemCode(error.cause) === '55P03'
}

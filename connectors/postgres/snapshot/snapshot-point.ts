import { randomBytes } from 'node:crypto'
import { TributaryError } from '../../../schemas/errors.ts'
import { openReplication, quoteText, type RawRow, type Sql } from '../connection.ts'
import { failure } from '../failure.ts'
import { parseLsn } from '../lsn.ts'
import { cancelable } from '../slot/slot.ts'

/** The server may be silent on this connection while it waits for transactions to end. */
const SENDER_TIMEOUT_MS = 0

/**
 * A consistent point of the log and a transaction that sees the database exactly as of it: what committed in records that start
 * before `position` is seen, everything else is in the log from there on.
 */
export interface SnapshotPoint {
  readonly position: bigint
  /** When it was taken, in microseconds since 1970-01-01 UTC by the server's clock. */
  readonly takenAt: bigint
  /**
   * Runs one statement in the transaction; rows come as the server's text.
   * @throws TributaryError `source-unreachable` when the transaction was lost with its connection
   */
  query(statement: string): Promise<readonly RawRow[]>
  /** Ends the transaction. Idempotent. */
  end(): Promise<void>
}

/**
 * Takes a point with a temporary slot, which waits for the transactions that run now. The slot is gone when this returns:
 * the transaction has taken its snapshot over.
 */
export async function takeSnapshotPoint(
  url: string,
  application: string,
  slot: string,
  sql: Sql,
  signal: AbortSignal,
): Promise<SnapshotPoint> {
  const doing = 'taking a consistent point for a snapshot'
  const name = `${slot.slice(0, 40)}_snapshot_${randomBytes(6).toString('hex')}`
  const replication = openReplication(url, application, SENDER_TIMEOUT_MS)
  try {
    const [created] = await cancelable(
      sql,
      replication.sql.unsafe<{ consistent_point: string; snapshot_name: string }[]>(
        `CREATE_REPLICATION_SLOT ${name} TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT`,
      ),
      signal,
      doing,
    )
    const position = parseLsn(created!.consistent_point)
    if (position === undefined) throw new TributaryError('invariant-broken', 'the server named no consistent point')
    const reading = await importSnapshot(sql, created!.snapshot_name)
    const [row] = await reading.query('SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint')
    return { position, takenAt: BigInt(row![0]!.toString('latin1')), ...reading }
  } catch (error) {
    throw failure(doing, replication.lastWords() ?? error)
  } finally {
    await replication.close()
  }
}

async function importSnapshot(sql: Sql, snapshot: string): Promise<Pick<SnapshotPoint, 'query' | 'end'>> {
  const opened = Promise.withResolvers<Sql>()
  const finished = Promise.withResolvers<void>()
  let lost: unknown
  // `begin` holds one connection for as long as the function runs, and fails when that connection breaks.
  const transaction = sql
    .begin('isolation level repeatable read read only', async (held) => {
      await held.unsafe(`SET TRANSACTION SNAPSHOT ${quoteText(snapshot)}`)
      opened.resolve(held as unknown as Sql)
      await finished.promise
    })
    .catch((error: unknown) => {
      lost = error
      opened.reject(error)
    })
  const held = await opened.promise
  const gone = () => failure('reading a snapshot', lost ?? new Error('the snapshot was ended'))
  let ended = false
  return {
    async query(statement) {
      // A statement on a connection that broke would run outside the snapshot, if at all.
      if (lost !== undefined || ended) throw gone()
      const rows = held.unsafe(statement).raw()
      const outcome = await Promise.race([
        rows.then(
          (value) => ({ value: value as unknown as readonly RawRow[] }),
          (error: unknown) => ({ error }),
        ),
        transaction.then(() => ({ error: lost })),
      ])
      if ('error' in outcome) throw failure('reading a snapshot', outcome.error)
      return outcome.value
    },
    async end() {
      ended = true
      finished.resolve()
      await transaction
    },
  }
}

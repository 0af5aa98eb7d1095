import { randomBytes } from 'node:crypto'
import { TributaryError } from '../../../schemas/errors.ts'
import { openReplication, type Sql } from '../connection.ts'
import { failure } from '../failure.ts'
import { parseLsn } from '../lsn.ts'
import { cancelable } from '../slot/slot.ts'
import { LargeTurn } from '../stream/gather.ts'
import { openSnapshotSession, type SnapshotSession } from './session.ts'

/** The server may be silent on this connection while it waits for transactions to end. */
const SENDER_TIMEOUT_MS = 0

/**
 * A consistent point of the log and sessions that see the database exactly as of it: what committed in records that start before
 * `position` is seen, everything else is in the log from there on.
 */
export interface SnapshotPoint {
  readonly position: bigint
  /** When it was taken, in microseconds since 1970-01-01 UTC by the server's clock. */
  readonly takenAt: bigint
  readonly sessions: readonly SnapshotSession[]
  /** Taken while a large row is in memory. */
  readonly turn: Pick<LargeTurn, 'isTaken'>
  end(): Promise<void>
}

export interface PointOptions {
  readonly sql: Sql
  readonly url: string
  readonly application: string
  readonly slot: string
  /** How many tables are read side by side. */
  readonly sessions: number
  readonly signal: AbortSignal
}

/**
 * Takes a point with a temporary slot, which waits for the transactions that run now. The slot is gone when this returns: the sessions
 * have taken its snapshot over.
 */
export async function takePoint(options: PointOptions): Promise<SnapshotPoint> {
  const { sql, url, application, signal } = options
  const doing = 'taking a consistent point for a snapshot'
  const name = `${options.slot.slice(0, 40)}_snapshot_${randomBytes(6).toString('hex')}`
  const replication = openReplication(url, application, SENDER_TIMEOUT_MS)
  const opened: SnapshotSession[] = []
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
    const turn = new LargeTurn()
    while (opened.length < options.sessions)
      opened.push(await openSnapshotSession(url, application, created!.snapshot_name, turn, signal))
    const first = opened[0]!
    signal.addEventListener('abort', () => void endAll(opened), { once: true })
    if (signal.aborted) await endAll(opened)
    const [row] = await first.query('SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint')
    return {
      position,
      takenAt: BigInt(row![0]!.toString('latin1')),
      sessions: opened,
      turn,
      end: () => endAll(opened),
    }
  } catch (error) {
    await endAll(opened)
    throw failure(doing, replication.lastWords() ?? error)
  } finally {
    await replication.close()
  }
}

async function endAll(sessions: readonly SnapshotSession[]): Promise<void> {
  await Promise.all(sessions.map((session) => session.end()))
}

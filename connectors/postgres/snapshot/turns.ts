import { unlessAborted } from '../../unless-aborted.ts'
import type { Sql } from '../connection.ts'
import { failure, isNoRoom } from '../failure.ts'
import type { OnNotice } from '../notice.ts'
import type { Segment } from './segment.ts'
import type { SnapshotWork } from './work.ts'

/** How long the stream holds for a point that waits for other people's transactions; doubled each time it was not enough, up to the most. */
const POINT_WAIT_MS_MIN = 5_000
const POINT_WAIT_MS_MAX = 60_000
/** After a segment in which no table could be read, and between looks at whether the transactions in the way have ended. */
const PAUSE_MS = 5_000
const LOOK_EVERY_MS = 1_000
/** Until a point is tried again that the server had no room for. */
const NO_ROOM_PAUSE_MS = 10_000

export interface TurnsOptions {
  readonly sql: Sql
  readonly source: string
  readonly onNotice: OnNotice
  readonly work: Pick<SnapshotWork, 'open' | 'isFirst'>
  /** Undefined for no limit. */
  readonly rowsPerSecond: number | undefined
  readonly start: () => Promise<Segment>
  /** Ends a wait for the server, which may be silent. */
  readonly signal: AbortSignal
}

/** When the next segment of the snapshots is due, and how long the stream may wait for it. */
export interface Turns {
  /** The next segment, when one is due. */
  next(): Promise<Segment | undefined>
  /**
   * Waits for the segment's point while the stream holds.
   * @returns undefined when that takes too long, or when the server has no slot or connection left for it: the segment is over, and the next
   * is due when the transactions that run now have ended, or some seconds later
   */
  point(segment: Segment, broken: Promise<never>): Promise<bigint | undefined>
  /** The rows that were read use up the time until the next ones may be. */
  done(segment: Segment): void
}

export function planTurns({ sql, source, onNotice, work, rowsPerSecond, start, signal }: TurnsOptions): Turns {
  let notBeforeMs = 0
  let pointWaitMs = POINT_WAIT_MS_MIN
  /** Every transaction below this has to end first. */
  let inTheWay: string | undefined
  let isNoRoomTold = false

  /** The stream has all that it needs, so it goes on; the snapshot has another turn. */
  function waitForRoom(error: unknown): undefined {
    notBeforeMs = performance.now() + NO_ROOM_PAUSE_MS
    if (isNoRoomTold) return
    isNoRoomTold = true
    onNotice({
      code: 'snapshot-without-room',
      level: 'warn',
      message:
        `the snapshot of source "${source}" cannot go on: ${failure('starting a part of it', error).message} ` +
        `The stream goes on without it; the snapshot is tried again every ${NO_ROOM_PAUSE_MS / 1_000} s`,
    })
  }

  async function pointOf(segment: Segment, broken: Promise<never>): Promise<bigint | undefined> {
    // Where nothing is on the topic yet, nobody waits for the stream.
    if (work.isFirst()) return Promise.race([segment.point(), broken])
    let timer: NodeJS.Timeout | undefined
    const tooLong = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, pointWaitMs, undefined)
    })
    const point = await Promise.race([segment.point(), broken, tooLong]).finally(() => clearTimeout(timer))
    if (point === undefined) {
      // Where one long transaction always follows another, only a longer wait comes to an end.
      pointWaitMs = Math.min(pointWaitMs * 2, POINT_WAIT_MS_MAX)
      const asked = sql<{ xid: string }[]>`SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS xid`
      const [row] = await Promise.race([asked, broken])
      inTheWay = row!.xid
      await segment.end()
    }
    return point
  }

  async function isFree(): Promise<boolean> {
    if (inTheWay === undefined) return true
    const [row] = await sql<{ free: boolean }[]>`
      SELECT pg_snapshot_xmin(pg_current_snapshot()) >= ${inTheWay}::xid8 AS free`
    if (row!.free) inTheWay = undefined
    else notBeforeMs = performance.now() + LOOK_EVERY_MS
    return row!.free
  }

  return {
    async next() {
      if (work.open().length === 0 || performance.now() < notBeforeMs) return undefined
      try {
        // A segment that starts nevertheless ends by the same signal.
        return await unlessAborted(
          isFree().then((free) => (free ? start() : undefined)),
          signal,
        )
      } catch (error) {
        if (!isNoRoom(error)) throw error
        return waitForRoom(error)
      }
    },
    async point(segment, broken) {
      try {
        const point = await pointOf(segment, broken)
        if (point !== undefined) isNoRoomTold = false
        return point
      } catch (error) {
        if (!isNoRoom(error)) throw error
        await segment.end()
        return waitForRoom(error)
      }
    },
    done(segment) {
      pointWaitMs = POINT_WAIT_MS_MIN
      const pauseMs = rowsPerSecond === undefined ? 0 : (segment.rowsRead() / rowsPerSecond) * 1_000
      notBeforeMs = performance.now() + (segment.isBlocked() ? PAUSE_MS : pauseMs)
    },
  }
}

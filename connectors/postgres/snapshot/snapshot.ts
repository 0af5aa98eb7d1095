import type { SnapshotProgress, SourceEvent } from '../../source.ts'
import type { LocatedTable } from '../captured-table.ts'
import { quoteName, type RawRow } from '../connection.ts'
import { fromTable, type RowPlan } from '../row-plan.ts'
import { estimateRows } from './estimate.ts'
import { snapshotColumns, translateRows } from './row-events.ts'
import type { SnapshotPoint } from './snapshot-point.ts'

export { snapshotColumns } from './row-events.ts'

/** A chunk is as many rows as were asked for, or fewer where rows are large. */
const CHUNK_BYTES_TARGET = 4_194_304
const FIRST_CHUNK_ROWS = 100
const CHUNK_GROWTH_MAX = 8
const CURSOR = 'tributary_snapshot'
const PROGRESS_INTERVAL_MS = 250

export interface SnapshotOptions {
  readonly source: string
  readonly epoch: bigint
  readonly chunkRows: number
  readonly capturedAt: () => bigint
  readonly onProgress: (progress: SnapshotProgress) => void
  readonly signal: AbortSignal
  readonly nowMs?: () => number
}

/**
 * Reads a whole table at a point, chunk by chunk through a cursor: in the point's one transaction nothing moves, so it needs no order
 * and no key comparison of its own. The next chunk is fetched while one is being used.
 */
export async function* readSnapshot(
  point: SnapshotPoint,
  table: LocatedTable,
  plan: RowPlan,
  options: SnapshotOptions,
): AsyncGenerator<readonly SourceEvent[]> {
  const { signal, onProgress, chunkRows, nowMs = Date.now } = options
  const startedAtMs = nowMs()
  const rowsEstimated = await estimateRows(point, table)
  let rowsDone = 0
  let toldMs = Number.NEGATIVE_INFINITY
  const tell = (done: boolean) => {
    if (!done && nowMs() - toldMs < PROGRESS_INTERVAL_MS) return
    toldMs = nowMs()
    const estimate = done ? rowsDone : Math.max(rowsEstimated, rowsDone)
    onProgress({ source: options.source, entity: plan.entity, rowsDone, rowsEstimated: estimate, startedAtMs, done })
  }
  tell(false)
  const columns = snapshotColumns(table).map(quoteName).join(', ')
  await point.query(`DECLARE ${CURSOR} NO SCROLL CURSOR FOR SELECT ${columns} FROM ${fromTable(table)}`)
  const fetch = (rows: number) => {
    const fetched = point.query(`FETCH FORWARD ${rows} FROM ${CURSOR}`)
    // It is awaited after the chunk before it was used; until then its failure must not count as unhandled.
    fetched.catch(() => {})
    return fetched
  }
  let size = Math.min(chunkRows, FIRST_CHUNK_ROWS)
  let next = fetch(size)
  while (!signal.aborted) {
    const rows = await next
    if (rows.length === 0) break
    size = nextChunkRows(rows, size, chunkRows)
    next = fetch(size)
    yield translateRows(rows, plan, {
      source: options.source,
      epoch: options.epoch,
      position: point.position,
      takenAt: point.takenAt,
      capturedAt: options.capturedAt(),
    })
    rowsDone += rows.length
    tell(false)
  }
  await next
  await point.query(`CLOSE ${CURSOR}`)
  if (!signal.aborted) tell(true)
}

/** How many rows to fetch next, so that a chunk stays near its size whatever the rows are. */
export function nextChunkRows(rows: readonly RawRow[], size: number, chunkRows: number): number {
  let bytes = 0
  for (const row of rows) for (const value of row) bytes += value === null ? 1 : value.length
  const fitting = Math.floor(CHUNK_BYTES_TARGET / Math.max(1, bytes / rows.length))
  return Math.max(1, Math.min(chunkRows, fitting, size * CHUNK_GROWTH_MAX))
}

import type { Provenance } from '../../../schemas/delta.ts'
import type { Value } from '../../../schemas/field-type.ts'
import { formatKey } from '../../../schemas/key.ts'
import { SNAPSHOT_ORDINAL } from '../../../schemas/version.ts'
import type { SnapshotProgress, SourceEvent } from '../../source.ts'
import type { LocatedTable } from '../captured-table.ts'
import { quoteName, type RawRow } from '../connection.ts'
import { formatLsn } from '../lsn.ts'
import { fromTable, type RowPlan } from '../row-plan.ts'
import { isTooLong, keyTooLong } from '../stream/translate.ts'
import { Unencodable } from '../values.ts'
import type { SnapshotPoint } from './snapshot-point.ts'

/** A chunk is as many rows as were asked for, or fewer where rows are large. */
const CHUNK_BYTES_TARGET = 4_194_304
const FIRST_CHUNK_ROWS = 100
const CHUNK_GROWTH_MAX = 8
const CURSOR = 'tributary_snapshot'
/** A table that is estimated smaller is counted. */
const COUNT_ROWS_MAX = 10_000
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
    yield translateChunk(rows, plan, point, options, rowsDone)
    rowsDone += rows.length
    tell(false)
  }
  await next
  await point.query(`CLOSE ${CURSOR}`)
  if (!signal.aborted) tell(true)
}

/** The columns a snapshot selects, each once. */
export function snapshotColumns(table: LocatedTable): readonly string[] {
  return [...new Set(table.entity.fields.map((field) => table.columns[field.name]!))]
}

/** How many rows to fetch next, so that a chunk stays near its size whatever the rows are. */
export function nextChunkRows(rows: readonly RawRow[], size: number, chunkRows: number): number {
  let bytes = 0
  for (const row of rows) for (const value of row) bytes += value === null ? 1 : value.length
  const fitting = Math.floor(CHUNK_BYTES_TARGET / Math.max(1, bytes / rows.length))
  return Math.max(1, Math.min(chunkRows, fitting, size * CHUNK_GROWTH_MAX))
}

function translateChunk(
  rows: readonly RawRow[],
  plan: RowPlan,
  point: SnapshotPoint,
  options: SnapshotOptions,
  rowsBefore: number,
): readonly SourceEvent[] {
  const version = { epoch: options.epoch, position: point.position, ordinal: SNAPSHOT_ORDINAL }
  const source: Provenance = {
    system: 'postgres',
    instance: options.source,
    object: plan.object,
    position: formatLsn(point.position),
    transaction: null,
    committedAt: point.takenAt,
    capturedAt: options.capturedAt(),
  }
  return rows.map((row, index): SourceEvent => {
    const key = formatKey(plan.key!.map((column) => row[column]!.toString('utf8')))
    if (isTooLong(key)) return keyTooLong(plan, version, source, rowsBefore + index + 1)
    const read = readRow(plan, row)
    if ('field' in read)
      return { kind: 'unencodable', entity: plan.entity, key, version, source, field: read.field, reason: read.reason }
    return {
      kind: 'change',
      change: {
        op: 'snapshot',
        entity: plan.entity,
        key,
        version,
        changed: null,
        after: read.values,
        source,
        origin: null,
        claims: {},
      },
      missing: [],
    }
  })
}

/** The fields of a row as selected, or the first field whose value its type cannot hold. */
export function readRow(
  plan: Pick<RowPlan, 'fields'>,
  row: RawRow,
): { readonly values: Record<string, Value> } | { readonly field: string; readonly reason: string } {
  const values: Record<string, Value> = {}
  for (const field of plan.fields) {
    const text = row[field.index]!
    try {
      values[field.name] = text === null ? null : field.read(text, 0, text.length)
    } catch (error) {
      if (!(error instanceof Unencodable)) throw error
      return { field: field.name, reason: error.message }
    }
  }
  return { values }
}

/** The planner's estimate, which also knows tables that were never analyzed; an exact count where that is cheap. */
async function estimateRows(point: SnapshotPoint, table: LocatedTable): Promise<number> {
  const from = fromTable(table)
  const rows = await point.query(`EXPLAIN (FORMAT JSON) SELECT 1 FROM ${from}`)
  const plan = JSON.parse(rows.map((row) => row[0]?.toString('utf8')).join('\n')) as { Plan: { 'Plan Rows': number } }[]
  const estimate = plan[0]?.Plan['Plan Rows'] ?? 0
  if (estimate > COUNT_ROWS_MAX) return estimate
  const [counted] = await point.query(`SELECT count(*) FROM ${from}`)
  return Number(counted?.[0]?.toString('latin1'))
}

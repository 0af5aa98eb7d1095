import { TributaryError } from '../../../schemas/errors.ts'
import type { SourceEvent } from '../../source.ts'
import { type LocatedTable, objectName } from '../captured-table.ts'
import type { TableFacts } from '../catalog/catalog.ts'
import { quoteLiteral, quoteName, type RawRow } from '../connection.ts'
import { fromTable, type RowPlan } from '../row-plan.ts'
import { type Condition, conditionsSql } from './condition.ts'
import { LARGE_ROW_BYTES } from './copy-pieces.ts'
import { createCopyRows } from './copy-row.ts'
import { type ReadAt, snapshotColumns, translateRows } from './row-events.ts'
import type { SnapshotSession } from './session.ts'

/** A batch ends at either bound; a single row may be larger. It ends with a large row, whose memory is freed when the next is asked for. */
const BATCH_ROWS_MAX = 1_000
const BATCH_BYTES_TARGET = LARGE_ROW_BYTES

export interface ChunkRequest {
  /** The key to go on after, as {@link ChunkBatch} gave it; null at the table's beginning. */
  readonly after: readonly string[] | null
  /** Only rows for which all of these hold. */
  readonly where: readonly Condition[]
  /** How many rows to read at most, at least 1. */
  readonly rows: number
}

export interface ChunkOptions extends Omit<ReadAt, 'capturedAt'> {
  /** Microseconds since 1970-01-01 UTC; asked once a batch. */
  readonly capturedAt: () => bigint
  readonly signal: AbortSignal
}

export interface ChunkBatch {
  readonly events: readonly SourceEvent[]
  /** The key of the batch's last row as PostgreSQL's text, in the order of the key's index: what the next chunk goes on after. */
  readonly after: readonly string[]
}

/**
 * Reads the next rows of a table in the order of its key, in batches as they arrive: neither the chunk nor the table is ever held.
 * Order and comparison are the server's own, of the columns' types and collations, so any unique key can be gone on after.
 * @param plan of the columns that a snapshot selects, in their order
 * @returns whether the table has no rows after these
 * @throws TributaryError `source-unreachable` when the connection is lost or `signal` aborts; the session is of no more use then
 */
export async function* readChunk(
  session: Pick<SnapshotSession, 'copy'>,
  table: LocatedTable,
  plan: RowPlan,
  facts: TableFacts,
  request: ChunkRequest,
  options: ChunkOptions,
): AsyncGenerator<ChunkBatch, boolean> {
  const key = keyColumns(table, plan, facts)
  const copied = createCopyRows()
  let rows: RawRow[] = []
  let bytes = 0
  let count = 0
  const flush = (): ChunkBatch => {
    const last = rows.at(-1)!
    const events = translateRows(rows, plan, { ...options, capturedAt: options.capturedAt() })
    count += rows.length
    rows = []
    bytes = 0
    return { events, after: key.map(({ index }) => last[index]!.toString('utf8')) }
  }
  for await (const piece of session.copy(chunkSelect(table, key, request), options.signal)) {
    copied.push(piece, rows)
    bytes += piece.length
    if (rows.length >= BATCH_ROWS_MAX || (bytes >= BATCH_BYTES_TARGET && rows.length > 0)) yield flush()
  }
  if (copied.pendingBytes() > 0) throw new TributaryError('invariant-broken', 'a COPY ended in the middle of a row')
  if (rows.length > 0) yield flush()
  return count < request.rows
}

interface KeyColumn {
  readonly column: string
  /** What a value's text is cast to. */
  readonly type: string
  /** Its place in a row. */
  readonly index: number
}

/** The key's columns in the order of the index that makes them unique, so that reading in their order needs no sorting. Pure. */
export function keyColumns(table: LocatedTable, plan: RowPlan, facts: TableFacts): readonly KeyColumn[] {
  const name = objectName(table.table)
  if (plan.key === undefined || plan.width !== snapshotColumns(table).length)
    throw new TributaryError('invariant-broken', `the plan for rows of ${name} is not one of a snapshot`)
  const declared = table.entity.key.map((field, part) => ({
    column: table.columns[field]!,
    type: table.typeNames[field]!,
    index: plan.key![part]!,
  }))
  const unique = facts.uniqueKeys.find(
    (one) => one.length === declared.length && declared.every(({ column }) => one.includes(column)),
  )
  if (unique === undefined) throw new TributaryError('invariant-broken', `the key of ${name} is not unique`)
  return unique.map((column) => declared.find((one) => one.column === column)!)
}

/**
 * What rows are read in the order of, in words: the key's columns as the index has them, each with its type, its collation and the release of
 * what sorts by it. Two that differ are different orders. The table must be held.
 */
export async function keyOrder(
  session: Pick<SnapshotSession, 'query'>,
  table: LocatedTable,
  plan: RowPlan,
  facts: TableFacts,
): Promise<readonly string[]> {
  const key = keyColumns(table, plan, facts)
  const sorted = await session.query(
    `SELECT attname FROM pg_attribute WHERE attrelid = ${table.oid} AND attcollation <> 0 ` +
      `AND attname IN (${key.map(({ column }) => quoteLiteral(column)).join(', ')})`,
  )
  const withCollation = new Set(sorted.map(([name]) => name!.toString('utf8')))
  const texts = key.map(({ column, type }) => {
    if (!withCollation.has(column)) return quoteLiteral(`${column} ${type}`)
    // Asked of the column itself: rows are sorted by the collation it has now, the catalogue is seen as of the snapshot.
    const collation = `pg_collation_for((SELECT t.${quoteName(column)} FROM ${fromTable(table)} t LIMIT 0))::regcollation`
    return `concat_ws(' ', ${quoteLiteral(`${column} ${type}`)}, ${collation}, ${collation}::oid, pg_collation_actual_version(${collation}))`
  })
  const [row] = await session.query(`SELECT ${texts.join(', ')}`)
  return row!.map((text) => text!.toString('utf8'))
}

/** The statement that reads a chunk. Pure. */
export function chunkSelect(table: LocatedTable, key: readonly KeyColumn[], request: ChunkRequest): string {
  const { after, where, rows } = request
  if (!Number.isSafeInteger(rows) || rows < 1)
    throw new TributaryError('invariant-broken', `a chunk of ${rows} rows was asked for`)
  const order = key.map(({ column }) => quoteName(column)).join(', ')
  const conditions: string[] = []
  if (after !== null) {
    if (after.length !== key.length)
      throw new TributaryError('invariant-broken', `a key of ${after.length} parts was given for ${key.length} columns`)
    // A value of a list of one is no row: (a) > ('1') compares the values themselves, which is the same.
    const values = key.map(({ type }, part) => `${quoteLiteral(after[part]!)}::${type}`).join(', ')
    conditions.push(`(${order}) > (${values})`)
  }
  if (where.length > 0) conditions.push(conditionsSql(where, table))
  const columns = snapshotColumns(table).map(quoteName).join(', ')
  const filter = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  return `SELECT ${columns} FROM ${fromTable(table)}${filter} ORDER BY ${order} LIMIT ${rows}`
}

import { createHash } from 'node:crypto'
import type { Provenance } from '../../../schemas/delta.ts'
import type { Value } from '../../../schemas/field-type.ts'
import { formatKey } from '../../../schemas/key.ts'
import { SNAPSHOT_ORDINAL } from '../../../schemas/version.ts'
import type { SourceEvent } from '../../source.ts'
import type { LocatedTable } from '../captured-table.ts'
import type { RawRow } from '../connection.ts'
import { formatLsn } from '../lsn.ts'
import type { RowPlan } from '../row-plan.ts'
import { isTooLong, keyTooLong } from '../stream/translate.ts'
import { Unencodable } from '../values.ts'

/** Hexadecimal digits that tell rows with too long keys apart. */
const KEY_DIGEST_LENGTH = 32

/** Where and when rows of a snapshot were read. Times are microseconds since 1970-01-01 UTC. */
export interface ReadAt {
  /** The source's name. */
  readonly source: string
  readonly epoch: bigint
  /** The consistent point. */
  readonly position: bigint
  /** When the point was taken, by the server's clock. */
  readonly takenAt: bigint
  readonly capturedAt: bigint
}

/** Of what was found at a consistent point in a table, by its name. */
export function snapshotProvenance(object: string, at: Omit<ReadAt, 'epoch'>): Provenance {
  return {
    system: 'postgres',
    instance: at.source,
    object,
    position: formatLsn(at.position),
    transaction: null,
    committedAt: at.takenAt,
    capturedAt: at.capturedAt,
  }
}

/** The columns a snapshot selects, each once. */
export function snapshotColumns(table: LocatedTable): readonly string[] {
  return [...new Set(table.entity.fields.map((field) => table.columns[field.name]!))]
}

/** Rows as selected → one event each: the row as of the point, or what cannot be encoded of it. */
export function translateRows(rows: readonly RawRow[], plan: RowPlan, at: ReadAt): readonly SourceEvent[] {
  const version = { epoch: at.epoch, position: at.position, ordinal: SNAPSHOT_ORDINAL }
  const source = snapshotProvenance(plan.object, at)
  return rows.map((row): SourceEvent => {
    const key = formatKey(plan.key!.map((column) => row[column]!.toString('utf8')))
    // All rows of a snapshot have one place. A digest of so long a key tells nothing of it, and is the same when the row is read again.
    if (isTooLong(key)) return keyTooLong(plan, version, source, digest(key))
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

function digest(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, KEY_DIGEST_LENGTH)
}

import type { Patch, RequestPreview } from '../destination.ts'
import { planBatch, rowOf } from './batch.ts'
import { KEY_COLUMN, VERSION_COLUMN } from './sql-names.ts'
import { StatementTexts } from './statement-texts.ts'
import { partialUpdate } from './statements.ts'
import type { Table } from './tables.ts'

/**
 * The transaction for a patch that is alone, for a person: its statements on one line, and what they are given, in the order of the
 * parameters. Values are the texts that PostgreSQL reads, so that no digit is lost. A partial update is shown with its own
 * columns alone; in a batch, rare sets of columns share a statement that comes to the same.
 */
export function previewPatch(table: Table, patch: Patch): RequestPreview {
  const row = rowOf(table, patch)
  if ('kind' in row) {
    const reason = row.kind === 'rejected' ? row.reason : row.kind
    return { request: `nothing: ${reason}`, headers: {}, body: null }
  }
  const given = [...row.values.keys()]
  const texts =
    patch.kind === 'upsert' && !patch.full
      ? [
          partialUpdate(
            table,
            given.map((at) => table.columns[at]!),
          ),
        ]
      : planBatch(table, new StatementTexts(table), [patch]).statements.map(({ text }) => text)
  const nameOf = (at: number) => (patch.kind === 'upsert' ? table.columns[at]!.name : `${KEY_COLUMN}[${at}]`)
  const values = { [KEY_COLUMN]: row.key, [VERSION_COLUMN]: row.version }
  const named = Object.fromEntries([...row.values].map(([at, value]) => [nameOf(at), value]))
  return {
    request: ['BEGIN', ...texts, 'COMMIT'].map((text) => text.replace(/\n\s*/g, ' ')).join('; '),
    headers: {},
    body: JSON.stringify({ ...values, ...named }),
  }
}

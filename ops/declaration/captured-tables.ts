import type { CapturedTable } from '../../connectors/postgres/captured-table.ts'
import type { Declaration } from './declaration.ts'

/** What a source of the declaration captures. */
export function capturedTables(declaration: Declaration, source: string): readonly CapturedTable[] {
  return [...declaration.entities.values()]
    .filter((entity) => entity.source === source)
    .map((entity) => ({ entity, table: entity.table, columns: Object.fromEntries(entity.columns) }))
}

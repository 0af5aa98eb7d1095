import type { CapturedTable } from '../../connectors/postgres/captured-table.ts'
import type { Declaration, DeclaredEntity } from './declaration.ts'

export function entitiesOf(declaration: Declaration, source: string): readonly DeclaredEntity[] {
  return [...declaration.entities.values()].filter((entity) => entity.source === source)
}

/** What a source of the declaration captures. */
export function capturedTables(declaration: Declaration, source: string): readonly CapturedTable[] {
  return entitiesOf(declaration, source).map((entity) => ({
    entity,
    table: entity.table,
    columns: Object.fromEntries(entity.columns),
  }))
}

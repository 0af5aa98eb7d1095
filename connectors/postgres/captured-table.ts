import type { Entity } from '../../schemas/entity.ts'
import type { ValueLimits } from './values.ts'

/** An entity and the table it is captured from. Columns that no field is read from are ignored. */
export interface CapturedTable {
  readonly entity: Entity
  readonly table: { readonly schema: string; readonly name: string }
  /** Field → column. */
  readonly columns: Readonly<Record<string, string>>
  /** What is too large to be made a value of; without it nothing is. */
  readonly limits?: ValueLimits
}

/** A captured table as it stands in the catalogue. */
export interface LocatedTable extends CapturedTable {
  readonly oid: number
  readonly partitioned: boolean
  /** Field → the type of its column as SQL writes it. */
  readonly typeNames: Readonly<Record<string, string>>
  /** Field → where its values come from, as `placeOf` names it. */
  readonly places: Readonly<Record<string, string>>
}

/** `schema.table`, as deltas and messages name it. */
export function objectName(table: { readonly schema: string; readonly name: string }): string {
  return `${table.schema}.${table.name}`
}

import type { LocatedTable } from './captured-table.ts'
import { objectName } from './captured-table.ts'
import { misfit, type Types } from './catalog/column-fit.ts'
import { madeAnew } from './catalog/recheck.ts'
import { quoteName } from './connection.ts'
import type { RelationMessage } from './stream/pgoutput.ts'
import { readerFor, type TextReader } from './values.ts'

/** Where one field is found in a row, and how its text is read. */
export interface PlannedField {
  readonly name: string
  readonly index: number
  readonly read: TextReader
}

/** How the rows of one relation become changes: worked out once per relation message, used for every row. */
export interface RowPlan {
  readonly entity: string
  /** `schema.table`, for provenance. */
  readonly object: string
  /** How many columns a row must have. */
  readonly width: number
  readonly fields: readonly PlannedField[]
  readonly fieldNames: readonly string[]
  /** The indexes of the key's columns, in the key's order; undefined when one is absent. */
  readonly key: readonly number[] | undefined
  /** Declared fields that the row does not have in a form that can be read. */
  readonly absent: readonly string[]
  /**
   * Why rows of this form may not be captured: the table was altered away from its declaration. Below the point of the entity's
   * snapshot it is no harm, because the snapshot has the rows as they are later.
   */
  readonly problem: string | undefined
}

/** @param columns the row's columns in order */
export function planRows(
  table: LocatedTable,
  columns: readonly { readonly name: string; readonly typeOid: number }[],
  types: Types,
): RowPlan {
  const object = objectName(table.table)
  const fields: PlannedField[] = []
  const absent: string[] = []
  const problems: string[] = []
  for (const field of table.entity.fields) {
    const column = table.columns[field.name]
    const index = columns.findIndex(({ name }) => name === column)
    const problem = index < 0 ? 'does not exist any more' : misfit(field.type, columns[index]!.typeOid, types)
    if (problem === undefined) fields.push({ name: field.name, index, read: readerFor(field.type, table.limits) })
    else {
      absent.push(field.name)
      problems.push(`column ${object}.${column}, which field ${field.name} is read from, ${problem}`)
    }
  }
  const key = table.entity.key.map((part) => fields.find(({ name }) => name === part)?.index)
  return {
    entity: table.entity.name,
    object,
    width: columns.length,
    fields,
    fieldNames: table.entity.fields.map(({ name }) => name),
    key: key.every((index) => index !== undefined) ? key : undefined,
    absent,
    problem: problems.length > 0 ? problems.join('; ') : undefined,
  }
}

/**
 * The plan for a relation as the log describes it; undefined when it is not captured.
 * A table is known by its oid and its name: one without the other means that it was renamed, or dropped and made anew.
 */
export function planRelation(
  relation: RelationMessage,
  tables: readonly LocatedTable[],
  types: Types,
): RowPlan | undefined {
  const table = tables.find(
    (one) => one.oid === relation.id || (one.table.schema === relation.schema && one.table.name === relation.name),
  )
  if (table === undefined) return undefined
  const plan = planRows(table, relation.columns, types)
  if (table.table.schema !== relation.schema || table.table.name !== relation.name)
    return { ...plan, problem: `table ${plan.object} was renamed to ${objectName(relation)}` }
  if (table.oid !== relation.id) return { ...plan, problem: madeAnew(plan.object) }
  return { ...plan, problem: plan.problem ?? identityProblem(table, plan, relation) }
}

/**
 * An identity that names columns but not all of the key would hide that a key changed. One that names none lets no update or delete pass
 * the server. Of a partitioned table the partitions' identities count, which the log does not tell here.
 */
function identityProblem(table: LocatedTable, plan: RowPlan, relation: RelationMessage): string | undefined {
  if (table.partitioned || plan.key === undefined || relation.columns.every(({ identity }) => !identity))
    return undefined
  if (plan.key.every((index) => relation.columns[index]!.identity)) return undefined
  return `the replica identity of ${plan.object} lacks the key, so the log does not say which row an update or delete is about`
}

/** `"schema"."table"`, without the tables that inherit from it: they have logs of their own. */
export function fromTable(table: LocatedTable): string {
  return `${table.partitioned ? '' : 'ONLY '}${quoteName(table.table.schema)}.${quoteName(table.table.name)}`
}

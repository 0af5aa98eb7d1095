import type { ConditionalDelete, DeletePolicy, EntityMapping } from '../destination.ts'
import { literal } from './literals.ts'
import { type Column, columnType, DELETED_AT_COLUMN, quoteIdentifier, quoteLiteral } from './sql-names.ts'

/** A conditional delete, with its condition as SQL. */
export interface ConditionalDeletion {
  readonly whileHeld: DeletePolicy
  readonly otherwise: DeletePolicy
  readonly condition: Condition
}

export interface Condition {
  /** The table that is looked at. */
  readonly target: string
  /** Its columns that hold the deleted one's key. Rows are looked up by them, so they need an index. */
  readonly refersBy: readonly string[]
  /** The SQL types of the parts of the deleted one's key. */
  readonly keyTypes: readonly string[]
  /** Whether it holds for a row `i` with the parts of a key, `c0`, `c1` and so on. */
  readonly holds: string
}

/** What is to be known of the table that is looked at. */
interface Referring {
  readonly target: string
  readonly name: string
  readonly columns: readonly Column[]
  readonly marksRows: boolean
}

/** The condition of a mapping's deletes as SQL, or what is wrong with it, as the rest of a sentence. */
export function resolveCondition(
  { entity }: EntityMapping,
  { policy, while: { refersBy, where }, otherwise }: ConditionalDelete,
  referring: Referring | undefined,
): ConditionalDeletion | { readonly fault: string } {
  if (referring === undefined) return { fault: 'looks at a table that this subscriber does not have; map its entity' }
  const known = new Map(referring.columns.map((column) => [column.name, column]))
  const unknown = [...refersBy, ...where].find(({ to }) => !known.has(to))
  if (unknown !== undefined) return { fault: `looks at ${referring.target}.${unknown.to}, which is not mapped; map it` }
  if (refersBy.length !== entity.key.length)
    return { fault: `names ${refersBy.length} columns for a key of ${entity.key.length} fields` }
  const types = new Map(entity.fields.map(({ name, type }) => [name, type]))
  // By the key's own type and not the column's, which may be narrower: a key that it cannot hold is referred to by no row.
  const keyTypes = entity.key.map((name) => columnType(types.get(name)!))
  const terms = refersBy.map(({ to }, at) => `r.${quoteIdentifier(to)} = i.c${at}`)
  for (const { to, type, value } of where) {
    const written = literal(type, value)
    if (!written.ok) return { fault: `wants a value of ${referring.target}.${to} that cannot be: ${written.reason}` }
    const column = `r.${quoteIdentifier(to)}`
    terms.push(
      written.text === null ? `${column} IS NULL` : `${column} = ${quoteLiteral(written.text)}::${columnType(type)}`,
    )
  }
  if (referring.marksRows) terms.push(`r.${quoteIdentifier(DELETED_AT_COLUMN)} IS NULL`)
  // A scalar subquery, for the reason that is told at the end of statements.ts.
  const holds = `(SELECT true FROM ${referring.name} AS r WHERE ${terms.join(' AND ')} LIMIT 1) IS NOT NULL`
  const condition = { target: referring.target, refersBy: refersBy.map(({ to }) => to), keyTypes, holds }
  return { whileHeld: policy, otherwise, condition }
}

import { type Types, undomained } from './column-fit.ts'

/** What tells one column from another of the same name. */
export interface ColumnPlace {
  /** pg_attribute.attnum: a column that is dropped and added again has another. */
  readonly number: number
  readonly typeOid: number
  /** pg_attribute.atttypmod: length, precision or scale; -1 for none. */
  readonly typeModifier: number
}

/**
 * Names where a field's values come from, as text that changes when values of rows may have changed without a word in the log: the
 * table was made anew, the column was, or its type was changed to one that may hold other values. Pure.
 */
export function placeOf(tableOid: number, column: ColumnPlace, types: Types): string {
  return `${tableOid}.${column.number}:${valuesOf(column, types)}`
}

const INTEGERS = ['int2', 'int4', 'int8']
const TEXTS = ['text', 'varchar']

/** Types between which a column can be altered without changing what it holds have one name. */
function valuesOf({ typeOid, typeModifier }: ColumnPlace, types: Types): string {
  const name = undomained(typeOid, types)?.name ?? String(typeOid)
  if (INTEGERS.includes(name)) return 'integer'
  // A varchar that is made shorter is refused by the server unless nothing is lost.
  if (TEXTS.includes(name)) return 'text'
  if (typeModifier < 0) return name
  // More digits before the point change nothing; others after it round.
  if (name === 'numeric') return `numeric,${numericScale(typeModifier)}`
  return `${name}(${typeModifier})`
}

/** The scale is in the low 11 bits, signed, behind a header of 4. */
function numericScale(typeModifier: number): number {
  return (((typeModifier - 4) & 0x7ff) ^ 1024) - 1024
}

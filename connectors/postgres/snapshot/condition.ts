import type { Entity } from '../../../schemas/entity.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import { type FieldType, formatFieldType, type ScalarType } from '../../../schemas/field-type.ts'
import type { LocatedTable } from '../captured-table.ts'
import { quoteLiteral, quoteName } from '../connection.ts'
import { readerFor, Unencodable } from '../values.ts'

export const OPERATORS = ['=', '!=', '<', '<=', '>', '>='] as const
export type Operator = (typeof OPERATORS)[number]

/** One condition on the rows of a snapshot: plain JSON, as it travels in a request. All of a request's conditions hold together. */
export interface Condition {
  readonly field: string
  readonly op: Operator
  /** In PostgreSQL's text form, as the field's type reads it. */
  readonly value: string
}

/** Longer values are no filter that anyone wrote. */
const VALUE_CHARACTERS_MAX = 4_096

/**
 * Reads a condition such as `country=NL` or `credit_limit>=1000`. What follows the operator is the value as it stands, spaces included;
 * one pair of quotes around it is left out. Quotes inside mean themselves: there is no escaping. `=` never means null, and `!=` also
 * finds null.
 * @throws TributaryError `filter-invalid` saying what is right
 */
export function parseCondition(text: string, entity: Entity): Condition {
  const parts = /^\s*([^=!<>\s]+)\s*(!=|<=|>=|=|<|>)(.*)$/s.exec(text)
  if (parts === null)
    throw invalid(`a condition is a field, one of ${OPERATORS.join(' ')} and a value, such as country=NL`)
  const [, field, op, written] = parts as unknown as [string, string, Operator, string]
  return checkCondition({ field, op, value: /^(["'])(.*)\1$/s.exec(written)?.[2] ?? written }, entity)
}

/**
 * Checks a condition that came from elsewhere, such as a request in the log, which any role of the database can write.
 * @throws TributaryError `filter-invalid` saying what is right
 */
export function checkCondition(condition: unknown, entity: Entity): Condition {
  const { field: name, op, value } = (condition ?? {}) as Partial<Record<'field' | 'op' | 'value', unknown>>
  if (typeof name !== 'string' || typeof value !== 'string' || !OPERATORS.includes(op as Operator))
    throw invalid(`a condition has a field, an op (one of ${OPERATORS.join(' ')}) and a value, all text`)
  const field = entity.fields.find((one) => one.name === name)
  if (field === undefined)
    throw invalid(
      `entity ${entity.name} has no field of that name. Its fields: ${entity.fields.map((one) => one.name).join(', ')}`,
    )
  const problem = misreading(field.type, value)
  if (problem !== undefined) throw invalid(`field ${name} is ${formatFieldType(field.type)}: ${problem}`)
  return { field: name, op: op as Operator, value }
}

/** One condition as SQL: a quoted column, an operator of ours and a quoted literal, whatever was asked. */
export function conditionSql(condition: Condition, table: LocatedTable): string {
  const field = table.entity.fields.find(({ name }) => name === condition.field)
  if (field === undefined || !OPERATORS.includes(condition.op))
    throw new TributaryError('invariant-broken', 'a condition of a snapshot was not checked')
  const value = `${quoteLiteral(condition.value)}::${castType(field.type, table.typeNames[field.name]!)}`
  const operator = condition.op === '!=' ? 'IS DISTINCT FROM' : condition.op
  return `${quoteName(table.columns[field.name]!)} ${operator} ${value}`
}

/** All conditions as SQL. */
export function conditionsSql(conditions: readonly Condition[], table: LocatedTable): string {
  return conditions.map((condition) => conditionSql(condition, table)).join(' AND ')
}

/** Whole numbers may lie beyond the column's own type: 100000 is a fair bound for a smallint. */
function castType(type: FieldType, columnType: string): string {
  switch (type.kind) {
    case 'int32':
    case 'int64':
      return 'bigint'
    case 'decimal':
    case 'numeric':
      return 'numeric'
    default:
      return columnType
  }
}

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?$/i
const SPECIAL_NUMBERS = ['NaN', 'Infinity', '-Infinity']
const INT64_MAX = 9_223_372_036_854_775_807n

/** What is wrong with a value as text of a type; undefined when nothing is. The readers trust the server's text, so some forms come first. */
function misreading(type: FieldType, value: string): string | undefined {
  if (value.length > VALUE_CHARACTERS_MAX) return `a value has ${VALUE_CHARACTERS_MAX} characters at most`
  if (value.includes('\0') || !value.isWellFormed()) return 'the value is not text that PostgreSQL can hold'
  if (type.kind === 'array' || type.kind === 'json') return 'a filter cannot compare it'
  const form = misform(type, value)
  if (form !== undefined) return form
  const bytes = Buffer.from(value)
  try {
    readerFor(type)(bytes, 0, bytes.length)
    return undefined
  } catch (error) {
    if (!(error instanceof Unencodable)) throw error
    return `the value cannot be read as one, ${error.message}${example(type)}`
  }
}

function misform(type: ScalarType, value: string): string | undefined {
  switch (type.kind) {
    case 'boolean':
      return value === 'true' || value === 'false' ? undefined : 'write true or false'
    case 'int32':
    case 'int64':
      return /^-?\d{1,19}$/.test(value) && absolute(BigInt(value)) <= INT64_MAX
        ? undefined
        : 'write a whole number, such as 1000'
    case 'numeric':
    case 'double':
      return NUMBER.test(value) || SPECIAL_NUMBERS.includes(value) ? undefined : 'write a number, such as 12.5'
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return isCalendarDate(value) ? undefined : `there is no such day${example(type)}`
    default:
      return undefined
  }
}

function absolute(value: bigint): bigint {
  return value < 0n ? -value : value
}

/** Whether the day that a text starts with exists; what starts with no day is left to the reader. */
function isCalendarDate(value: string): boolean {
  const parts = /^(\d+)-(\d\d)-(\d\d)/.exec(value)
  if (parts === null) return true
  const [year, month, day] = parts.slice(1).map(Number) as [number, number, number]
  // Calendars repeat after 400 years; 1 BC is the year 0.
  const shown = 2000 + ((value.endsWith(' BC') ? 401 - (year % 400) : year) % 400)
  return year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(shown, month, 0)).getUTCDate()
}

function example(type: FieldType): string {
  if (type.kind === 'date') return '. Write it like 2026-01-31'
  if (type.kind === 'timestamp') return '. Write it like 2026-01-31 08:00:00'
  if (type.kind === 'timestamptz') return '. Write it like 2026-01-31 08:00:00+00'
  return ''
}

function invalid(message: string): TributaryError {
  return new TributaryError('filter-invalid', `${message}.`)
}

import {
  DATE_INFINITY,
  DATE_MINUS_INFINITY,
  type FieldType,
  type ScalarType,
  TIMESTAMP_INFINITY,
  TIMESTAMP_MINUS_INFINITY,
  type Value,
} from '../../schemas/field-type.ts'

/** PostgreSQL's text form of a value (null is SQL's NULL), or why the record can never be stored. The reason holds no values. */
export type Literal =
  | { readonly ok: true; readonly text: string | null }
  | { readonly ok: false; readonly code: 'text-nul' | 'text-not-unicode' | 'value-mistyped'; readonly reason: string }

type LiteralFailure = Extract<Literal, { ok: false }>

/**
 * Writes a canonical value as the text that PostgreSQL's input function of its type reads back without loss.
 * Ranges are left to the server: it refuses what its type cannot hold (SQLSTATE class 22).
 */
export function literal(type: FieldType, value: Value): Literal {
  if (value === null) return { ok: true, text: null }
  if (type.kind !== 'array') return scalarLiteral(type, value)
  if (!Array.isArray(value)) return mistyped(type.kind)
  const elements: (string | null)[] = []
  for (const element of value as readonly Value[]) {
    const written: Literal = element === null ? { ok: true, text: null } : scalarLiteral(type.of, element)
    if (!written.ok) return written
    elements.push(written.text)
  }
  return { ok: true, text: arrayLiteral(elements) }
}

/** Text that PostgreSQL can hold and UTF-8 can carry; record keys go through it too. */
export function textLiteral(value: string): Literal {
  // The server refuses the whole request for one NUL; found here, only its own record is rejected.
  if (value.includes('\0'))
    return { ok: false, code: 'text-nul', reason: 'text holds the character U+0000, which PostgreSQL cannot store' }
  // Buffer would turn a lone surrogate into U+FFFD without a word.
  if (!value.isWellFormed())
    return { ok: false, code: 'text-not-unicode', reason: 'text holds half a surrogate pair, which is no Unicode text' }
  return { ok: true, text: value }
}

/** An array literal of one dimension. Every element is quoted, so `NULL`, blanks and braces need no case of their own. */
export function arrayLiteral(elements: readonly (string | null)[]): string {
  let text = '{'
  for (let index = 0; index < elements.length; index++) {
    if (index > 0) text += ','
    const element = elements[index]!
    if (element === null) text += 'NULL'
    else text += `"${SPECIAL.test(element) ? escaped(element) : element}"`
  }
  return `${text}}`
}

function escaped(element: string): string {
  // Bytes have one, at their beginning, and can be large: they are not copied for it.
  SPECIALS.lastIndex = 1
  const isFirstOnly = element[0] === '\\' && !SPECIALS.test(element)
  SPECIALS.lastIndex = 0
  return isFirstOnly ? `\\${element}` : element.replace(SPECIALS, '\\$&')
}

const SPECIAL = /["\\]/
const SPECIALS = /["\\]/g

function scalarLiteral(type: ScalarType, value: Value): Literal {
  switch (type.kind) {
    case 'string':
    case 'enum':
    case 'uuid':
    case 'json':
    case 'decimal':
    case 'numeric':
      return typeof value === 'string' ? textLiteral(value) : mistyped(type.kind)
    case 'boolean':
      return typeof value === 'boolean' ? { ok: true, text: value ? 't' : 'f' } : mistyped(type.kind)
    case 'int32':
    case 'int64':
      return typeof value === 'bigint' ? { ok: true, text: value.toString() } : mistyped(type.kind)
    case 'double':
      return typeof value === 'number' ? { ok: true, text: doubleText(value) } : mistyped(type.kind)
    case 'date':
      return typeof value === 'number' && Number.isInteger(value)
        ? { ok: true, text: dateText(value) }
        : mistyped(type.kind)
    case 'time':
      return typeof value === 'bigint' && value >= 0n && value <= DAY_MICROS
        ? { ok: true, text: timeText(value) }
        : mistyped(type.kind)
    case 'timestamp':
      return typeof value === 'bigint' ? { ok: true, text: timestampText(value, '') } : mistyped(type.kind)
    case 'timestamptz':
      return typeof value === 'bigint' ? { ok: true, text: timestampText(value, '+00') } : mistyped(type.kind)
    case 'bytes':
      return Buffer.isBuffer(value) ? { ok: true, text: `\\x${value.toString('hex')}` } : mistyped(type.kind)
  }
}

function mistyped(kind: string): LiteralFailure {
  return { ok: false, code: 'value-mistyped', reason: `a value is not in the canonical form of ${kind}` }
}

const DAY_MICROS = 86_400_000_000n

/** `String` gives the shortest text that reads back as the same double, but drops the sign of -0. */
function doubleText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

function dateText(day: number): string {
  if (day === DATE_INFINITY) return 'infinity'
  if (day === DATE_MINUS_INFINITY) return '-infinity'
  const { date, suffix } = calendarDate(day)
  return date + suffix
}

function timestampText(micros: bigint, zone: '' | '+00'): string {
  if (micros === TIMESTAMP_INFINITY) return 'infinity'
  if (micros === TIMESTAMP_MINUS_INFINITY) return '-infinity'
  const rest = ((micros % DAY_MICROS) + DAY_MICROS) % DAY_MICROS
  const { date, suffix } = calendarDate(Number((micros - rest) / DAY_MICROS))
  return `${date} ${timeText(rest)}${zone}${suffix}`
}

function timeText(micros: bigint): string {
  const seconds = Number(micros / 1_000_000n)
  const fraction = Number(micros % 1_000_000n)
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return fraction === 0 ? clock : `${clock}.${String(fraction).padStart(6, '0')}`
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}

/**
 * A day number in the proleptic Gregorian calendar. Not by `Date`: it ends at ±271,821, PostgreSQL's years do not.
 * Days are counted from 0000-03-01, so that the leap day ends a year, in eras of 400 years.
 */
function calendarDate(day: number): { date: string; suffix: '' | ' BC' } {
  const shifted = day + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const dayOfMonth = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  // There is no year 0: the one before 1 is 1 BC.
  const shown = String(year > 0 ? year : 1 - year).padStart(4, '0')
  return { date: `${shown}-${two(month)}-${two(dayOfMonth)}`, suffix: year > 0 ? '' : ' BC' }
}

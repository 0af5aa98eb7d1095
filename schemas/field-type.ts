import { TributaryError } from './errors.ts'
import type { LargeValue } from './large-value.ts'

/** The types an entity's field may have, as written in `tributary.yaml`. */
export type ScalarType =
  | { readonly kind: 'string' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'int32' }
  | { readonly kind: 'int64' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'numeric' }
  | { readonly kind: 'double' }
  | { readonly kind: 'date' }
  | { readonly kind: 'time' }
  | { readonly kind: 'timestamp' }
  | { readonly kind: 'timestamptz' }
  | { readonly kind: 'uuid' }
  | { readonly kind: 'bytes' }
  | { readonly kind: 'json' }
  | { readonly kind: 'enum'; readonly symbols: readonly string[] }

export type FieldType = ScalarType | { readonly kind: 'array'; readonly of: ScalarType }

/**
 * A field's value in its one canonical form, whatever system it came from:
 *
 * | type | form |
 * | --- | --- |
 * | string, uuid (lower case), enum | string |
 * | boolean | boolean |
 * | int32, int64 | bigint |
 * | decimal(p,s) | string with exactly s digits after the point, no leading zeros, no `-0` |
 * | numeric | string as the source wrote it, `NaN` and `Infinity` included |
 * | double | number |
 * | date | number of days since 1970-01-01 (int32); its limits stand for ±infinity |
 * | time | bigint microseconds since midnight, 0 to 86,400,000,000 |
 * | timestamp, timestamptz | bigint microseconds since 1970-01-01 (of local time, of UTC); the limits of int64 stand for ±infinity |
 * | bytes | Buffer |
 * | json | string: the document's text |
 * | array | array of the above, elements may be null |
 *
 * On the way from a source to the blob store a large string, json or bytes is a `LargeValue`; records and patches never hold one.
 */
export type Value = string | boolean | bigint | number | Buffer | readonly Value[] | LargeValue | null

export const DATE_INFINITY = 2_147_483_647
export const DATE_MINUS_INFINITY = -2_147_483_648
export const TIMESTAMP_INFINITY = 9_223_372_036_854_775_807n
export const TIMESTAMP_MINUS_INFINITY = -9_223_372_036_854_775_808n

const PLAIN = [
  'string',
  'boolean',
  'int32',
  'int64',
  'numeric',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'uuid',
  'bytes',
  'json',
] as const

/** What can be written as a field's type; used in messages and in the editor's schema. */
export const FIELD_TYPE_FORMS = [...PLAIN, 'decimal(p,s)', 'enum(a,b,…)', 'any of these followed by []'] as const

export const DECIMAL_PRECISION_MAX = 1000
export const ENUM_SYMBOLS_MAX = 1000

/**
 * Reads a declared type, such as `decimal(12,2)`, `enum(open,paid)` or `string[]`.
 * @throws TributaryError `declaration-invalid` naming what is wrong with the text
 */
export function parseFieldType(text: string): FieldType {
  const trimmed = text.trim()
  if (trimmed.endsWith('[]')) return { kind: 'array', of: parseScalarType(trimmed.slice(0, -2).trim()) }
  return parseScalarType(trimmed)
}

function parseScalarType(text: string): ScalarType {
  for (const kind of PLAIN) if (text === kind) return { kind }
  const decimal = /^decimal\(\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\)$/.exec(text)
  if (decimal) {
    const precision = Number(decimal[1])
    const scale = Number(decimal[2])
    if (precision < 1 || precision > DECIMAL_PRECISION_MAX || scale > precision)
      throw invalid(`decimal(${precision},${scale}) needs 1 ≤ p ≤ ${DECIMAL_PRECISION_MAX} and 0 ≤ s ≤ p`)
    return { kind: 'decimal', precision, scale }
  }
  const symbols = /^enum\((.*)\)$/s.exec(text)
  if (symbols) {
    const list = symbols[1]!.split(',').map((symbol) => symbol.trim())
    if (list.some((symbol) => symbol === '')) throw invalid('enum(…) has an empty symbol')
    if (list.length > ENUM_SYMBOLS_MAX) throw invalid(`enum(…) has more than ${ENUM_SYMBOLS_MAX} symbols`)
    if (new Set(list).size !== list.length) throw invalid('enum(…) names a symbol twice')
    return { kind: 'enum', symbols: list }
  }
  throw invalid(`unknown type "${text}"; known: ${FIELD_TYPE_FORMS.join(', ')}`)
}

/** The declared form of a type: the inverse of {@link parseFieldType}. */
export function formatFieldType(type: FieldType): string {
  if (type.kind === 'array') return `${formatFieldType(type.of)}[]`
  if (type.kind === 'decimal') return `decimal(${type.precision},${type.scale})`
  if (type.kind === 'enum') return `enum(${type.symbols.join(',')})`
  return type.kind
}

function invalid(message: string): TributaryError {
  return new TributaryError('declaration-invalid', message)
}

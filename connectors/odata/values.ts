import { TributaryError } from '../../schemas/errors.ts'
import type { FieldType, ScalarType, Value } from '../../schemas/field-type.ts'
import { decimalText, ExactNumber, JSON_NUMBER, type Json } from '../exact-json.ts'
import { clockMicros, clockText, DAY_MICROS, dateText, dayOf, instantMicros, instantText } from '../iso-time.ts'

/** How a system writes what OData leaves open. */
export interface ValueForms {
  /** `date`: Edm.Date. `noon`: a date is an Edm.DateTimeOffset at 12:00 UTC, as Finance & Operations has them. */
  readonly dates: 'date' | 'noon'
}

/** JSON text of a value, or why the record can never be sent. The reason holds no values. */
export type Rendered =
  | { readonly ok: true; readonly json: string }
  | { readonly ok: false; readonly code: string; readonly reason: string }

/** Writes a canonical value as OData's JSON format has it; numbers digit by digit. */
export function renderValue(type: FieldType, value: Value, forms: ValueForms): Rendered {
  if (value === null) return { ok: true, json: 'null' }
  switch (type.kind) {
    case 'string':
    case 'enum':
    case 'uuid':
    case 'json':
      if (typeof value !== 'string') return mistyped(type.kind)
      if (!value.isWellFormed())
        return refusal('text-not-unicode', 'text holds half a surrogate pair, which is no Unicode text')
      return text(value)
    case 'boolean':
      return typeof value === 'boolean' ? { ok: true, json: String(value) } : mistyped(type.kind)
    case 'int32':
    case 'int64':
      return typeof value === 'bigint' ? { ok: true, json: value.toString() } : mistyped(type.kind)
    case 'decimal':
    case 'numeric':
      if (typeof value !== 'string') return mistyped(type.kind)
      return JSON_NUMBER.test(value) ? { ok: true, json: value } : outOfRange(type.kind)
    case 'double':
      if (typeof value !== 'number') return mistyped(type.kind)
      return Number.isFinite(value) ? { ok: true, json: JSON.stringify(value) } : outOfRange(type.kind)
    case 'date':
      if (typeof value !== 'number') return mistyped(type.kind)
      return within(type.kind, dateText(value), forms.dates === 'date' ? '' : 'T12:00:00Z')
    case 'time':
      if (typeof value !== 'bigint') return mistyped(type.kind)
      return value >= 0n && value < DAY_MICROS ? text(clockText(value, 'needed')) : outOfRange(type.kind)
    case 'timestamp':
    case 'timestamptz':
      if (typeof value !== 'bigint') return mistyped(type.kind)
      return within(type.kind, instantText(value, 'needed'), 'Z')
    case 'bytes':
      return Buffer.isBuffer(value) ? text(value.toString('base64')) : mistyped(type.kind)
    case 'array':
      return refusal('type-unsupported', 'a list has no form there; make one text of it with the transform `join`')
  }
}

/**
 * Reads a value of a row back to its canonical form.
 * @throws TributaryError `destination-unsuitable` when the field holds something that its declared type cannot
 */
export function readValue(field: string, type: FieldType, json: Json | undefined): Value {
  if (json === null || json === undefined) return null
  const value = type.kind === 'array' ? undefined : scalarOf(type, json)
  if (value === undefined)
    throw new TributaryError(
      'destination-unsuitable',
      `the field ${field} holds something at the destination that is no ${type.kind}: map it with the type that it has there`,
    )
  return value
}

function scalarOf(type: ScalarType, json: Json): Value | undefined {
  const number = json instanceof ExactNumber ? json.text : undefined
  const string = typeof json === 'string' ? json : undefined
  switch (type.kind) {
    case 'string':
    case 'enum':
    case 'json':
      return string
    case 'uuid':
      return string?.toLowerCase()
    case 'boolean':
      return typeof json === 'boolean' ? json : undefined
    case 'int32':
    case 'int64': {
      const digits = number ?? string
      return digits !== undefined && /^-?\d{1,19}$/.test(digits) ? BigInt(digits) : undefined
    }
    case 'decimal':
      return number === undefined ? undefined : decimalText(number, type.scale)
    case 'numeric':
      return number
    case 'double':
      return number === undefined ? undefined : Number(number)
    case 'date':
      // Finance & Operations has dates as instants.
      return string && dayOf(string.slice(0, 10))
    case 'time':
      return string && clockMicros(string)
    case 'timestamp':
    case 'timestamptz':
      return string && instantMicros(string)
    case 'bytes':
      return string === undefined ? undefined : Buffer.from(string, 'base64')
  }
}

function within(kind: string, written: string | undefined, end: string): Rendered {
  return written === undefined ? outOfRange(kind) : text(`${written}${end}`)
}

function text(value: string): Rendered {
  return { ok: true, json: JSON.stringify(value) }
}

function refusal(code: string, reason: string): Rendered {
  return { ok: false, code, reason }
}

function mistyped(kind: string): Rendered {
  return refusal('value-mistyped', `a value is not in the canonical form of ${kind}`)
}

function outOfRange(kind: string): Rendered {
  return refusal('value-out-of-range', `a ${kind} has a value that OData has no form for, such as an infinity`)
}

import { TributaryError } from '../../schemas/errors.ts'
import type { FieldType, ScalarType, Value } from '../../schemas/field-type.ts'
import { ExactNumber, type Json } from '../exact-json.ts'

/** How a system writes what OData leaves open. */
export interface ValueForms {
  /** `date`: Edm.Date. `noon`: a date is an Edm.DateTimeOffset at 12:00 UTC, as Finance & Operations has them. */
  readonly dates: 'date' | 'noon'
}

/** JSON text of a value, or why the record can never be sent. The reason holds no values. */
export type Rendered =
  | { readonly ok: true; readonly json: string }
  | { readonly ok: false; readonly code: string; readonly reason: string }

const DAY_MS = 86_400_000
const DAY_MICROS = 86_400_000_000n
/** 0001-01-01 and 9999-12-31: the years that OData's dates have. */
const DAY_MIN = -719_162
const DAY_MAX = 2_932_896
/** JSON's grammar of a number (RFC 8259, section 6): `NaN` and `Infinity` are none. */
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/

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
      return NUMBER.test(value) ? { ok: true, json: value } : outOfRange(type.kind)
    case 'double':
      if (typeof value !== 'number') return mistyped(type.kind)
      return Number.isFinite(value) ? { ok: true, json: JSON.stringify(value) } : outOfRange(type.kind)
    case 'date':
      if (typeof value !== 'number') return mistyped(type.kind)
      if (value < DAY_MIN || value > DAY_MAX) return outOfRange(type.kind)
      return text(forms.dates === 'date' ? dateText(value) : `${dateText(value)}T12:00:00Z`)
    case 'time':
      if (typeof value !== 'bigint') return mistyped(type.kind)
      return value >= 0n && value < DAY_MICROS ? text(timeText(value)) : outOfRange(type.kind)
    case 'timestamp':
    case 'timestamptz': {
      if (typeof value !== 'bigint') return mistyped(type.kind)
      const micros = ((value % DAY_MICROS) + DAY_MICROS) % DAY_MICROS
      const day = (value - micros) / DAY_MICROS
      if (day < DAY_MIN || day > DAY_MAX) return outOfRange(type.kind)
      return text(`${dateText(Number(day))}T${timeText(micros)}Z`)
    }
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
    case 'date': {
      const day =
        string && /^\d{4}-\d\d-\d\d/.exec(string) ? Date.parse(`${string.slice(0, 10)}T00:00:00Z`) : Number.NaN
      return Number.isNaN(day) ? undefined : day / DAY_MS
    }
    case 'time':
      return string && clockMicros(string)
    case 'timestamp':
    case 'timestamptz':
      return string && instantMicros(string)
    case 'bytes':
      return string === undefined ? undefined : Buffer.from(string, 'base64')
  }
}

function dateText(day: number): string {
  const date = new Date(day * DAY_MS)
  return `${String(date.getUTCFullYear()).padStart(4, '0')}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`
}

/** With as many digits of a second as there are: systems that keep none refuse no needless zeros so. */
function timeText(micros: bigint): string {
  const seconds = Number(micros / 1_000_000n)
  const fraction = String(micros % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '')
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return fraction === '' ? clock : `${clock}.${fraction}`
}

function clockMicros(text: string): bigint | undefined {
  const match = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?$/.exec(text)
  if (!match) return undefined
  const seconds = Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3])
  return BigInt(seconds) * 1_000_000n + BigInt((match[4] ?? '').padEnd(6, '0').slice(0, 6))
}

function instantMicros(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,12}))?(Z|[+-]\d\d:\d\d)$/.exec(text)
  const ms = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN
  if (!match || Number.isNaN(ms)) return undefined
  return BigInt(ms) * 1000n + BigInt((match[2] ?? '').padEnd(6, '0').slice(0, 6))
}

/** A number with exactly `scale` digits after the point, by its digits alone; undefined when it has more that are not zero. */
function decimalText(number: string, scale: number): string | undefined {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/.exec(number)
  if (!match) return undefined
  const [, sign, whole = '', part = '', exponent = '0'] = match
  const shift = Number(exponent) - part.length + scale
  const digits = `${whole}${part}`
  const scaled = shift >= 0 ? digits + '0'.repeat(shift) : digits.slice(0, shift)
  if (shift < 0 && /[1-9]/.test(digits.slice(shift))) return undefined
  const plain = scaled.replace(/^0+/, '').padStart(scale + 1, '0')
  const isZero = /^0*$/.test(plain)
  const point = scale === 0 ? plain : `${plain.slice(0, -scale)}.${plain.slice(-scale)}`
  return `${isZero ? '' : sign}${point}`
}

function text(value: string): Rendered {
  return { ok: true, json: JSON.stringify(value) }
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
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

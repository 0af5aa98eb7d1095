import type { FieldType, ScalarType, Value } from '../../schemas/field-type.ts'
import { ExactNumber, type Json, parseExact } from '../exact-json.ts'

/** JSON text of a value, or why there is none. The reason holds no values. */
export type JsonText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly code: 'value-mistyped' | 'value-not-json'; readonly reason: string }

/**
 * Writes a canonical value as JSON text that loses nothing: whole numbers and decimals as numbers with all their digits (JSON has no limit;
 * a receiver that reads them as doubles keeps 15 digits, and should be given a string by a transform), dates and times in ISO 8601 with
 * microseconds, bytes in base64.
 *
 * `json` goes as a string with the document's text. As an object in a merge patch (RFC 7396) it would be merged with what is there, members
 * that are gone would stay, and those that are null would go.
 */
export function jsonText(type: FieldType, value: Value): JsonText {
  if (value === null) return written('null')
  if (type.kind !== 'array') return scalarText(type, value)
  if (!Array.isArray(value)) return mistyped(type)
  const elements: string[] = []
  for (const element of value as readonly Value[]) {
    const text = element === null ? written('null') : scalarText(type.of, element)
    if (!text.ok) return text
    elements.push(text.text)
  }
  return written(`[${elements.join(',')}]`)
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/
const MS_A_DAY = 86_400_000
const MICROS_A_DAY = 86_400_000_000n
/** 0001-01-01 and 9999-12-31: what ISO 8601 writes with four digits. */
const DAY_MIN = -719_162
const DAY_MAX = 2_932_896

function scalarText(type: ScalarType, value: Value): JsonText {
  switch (type.kind) {
    case 'string':
    case 'enum':
    case 'uuid':
    case 'json':
      return typeof value === 'string' ? written(JSON.stringify(value)) : mistyped(type)
    case 'boolean':
      return typeof value === 'boolean' ? written(String(value)) : mistyped(type)
    case 'int32':
    case 'int64':
      return typeof value === 'bigint' ? written(String(value)) : mistyped(type)
    case 'decimal':
    case 'numeric':
      if (typeof value !== 'string') return mistyped(type)
      return NUMBER.test(value) ? written(value) : notJson(type, 'NaN, an infinity')
    case 'double':
      if (typeof value !== 'number') return mistyped(type)
      if (!Number.isFinite(value)) return notJson(type, 'NaN, an infinity')
      return written(Object.is(value, -0) ? '-0' : String(value))
    case 'date':
      if (typeof value !== 'number') return mistyped(type)
      return value < DAY_MIN || value > DAY_MAX ? notJson(type, OUT_OF_TIME) : written(`"${isoDate(value)}"`)
    case 'time':
      return typeof value === 'bigint' ? written(`"${isoTime(value)}"`) : mistyped(type)
    case 'timestamp':
    case 'timestamptz': {
      if (typeof value !== 'bigint') return mistyped(type)
      const day = (value - (((value % MICROS_A_DAY) + MICROS_A_DAY) % MICROS_A_DAY)) / MICROS_A_DAY
      if (day < DAY_MIN || day > DAY_MAX) return notJson(type, OUT_OF_TIME)
      const time = isoTime(value - day * MICROS_A_DAY)
      return written(`"${isoDate(Number(day))}T${time}${type.kind === 'timestamptz' ? 'Z' : ''}"`)
    }
    case 'bytes':
      return Buffer.isBuffer(value) ? written(`"${value.toString('base64')}"`) : mistyped(type)
  }
}

const OUT_OF_TIME = 'an infinity, a year before 1 or after 9999'

function isoDate(day: number): string {
  return new Date(day * MS_A_DAY).toISOString().slice(0, 10)
}

function isoTime(micros: bigint): string {
  const seconds = micros / 1_000_000n
  const two = (part: bigint) => String(part).padStart(2, '0')
  const fraction = String(micros % 1_000_000n).padStart(6, '0')
  return `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}.${fraction}`
}

function written(text: string): JsonText {
  return { ok: true, text }
}

function mistyped(type: FieldType): JsonText {
  return { ok: false, code: 'value-mistyped', reason: `the value is no ${type.kind}` }
}

function notJson(type: FieldType, what: string): JsonText {
  return { ok: false, code: 'value-not-json', reason: `the ${type.kind} has no form in JSON (${what})` }
}

/**
 * Reads a JSON text for {@link canonicalValue}.
 * @throws SyntaxError without the text's own words
 */
export function parseText(text: string): Json {
  const json = parseExact(text)
  if (json === undefined) throw new SyntaxError('not JSON')
  return json
}

/** The canonical value of what {@link parseText} read; undefined where it is none of this type. */
export function canonicalValue(type: FieldType, read: unknown): Value | undefined {
  if (read === null || read === undefined) return null
  if (type.kind !== 'array') return scalarOf(type, read)
  if (!Array.isArray(read)) return undefined
  const elements = read.map((element: unknown) => (element === null ? null : scalarOf(type.of, element)))
  return elements.includes(undefined) ? undefined : (elements as Value[])
}

const INSTANT = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?$/

function scalarOf(type: ScalarType, read: unknown): Value | undefined {
  const text = read instanceof ExactNumber ? read.text : typeof read === 'string' ? read : undefined
  switch (type.kind) {
    case 'boolean':
      return typeof read === 'boolean' ? read : undefined
    case 'string':
    case 'enum':
    case 'json':
      return text
    case 'uuid':
      return text?.toLowerCase()
    case 'int32':
    case 'int64':
      return text !== undefined && /^-?\d{1,19}$/.test(text) ? BigInt(text) : undefined
    case 'numeric':
      return text
    case 'decimal':
      return text === undefined ? undefined : decimalOf(text, type.scale)
    case 'double':
      return text !== undefined && NUMBER.test(text) ? Number(text) : undefined
    case 'date': {
      const at = text !== undefined && /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN
      return Number.isNaN(at) ? undefined : at / MS_A_DAY
    }
    case 'time':
      return text === undefined ? undefined : microsOf(`1970-01-01T${text}Z`)
    case 'timestamp':
    case 'timestamptz':
      return text === undefined ? undefined : microsOf(text)
    case 'bytes':
      return text === undefined ? undefined : Buffer.from(text, 'base64')
  }
}

/** A number's text with exactly so many digits after the point; undefined where that would lose one. */
function decimalOf(text: string, scale: number): string | undefined {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)
  if (!match) return undefined
  const [, sign, whole, fraction = ''] = match
  if (/[1-9]/.test(fraction.slice(scale))) return undefined
  const digits = `${whole!.replace(/^0+(?=\d)/, '')}${scale > 0 ? `.${fraction.slice(0, scale).padEnd(scale, '0')}` : ''}`
  return /[1-9]/.test(digits) ? sign + digits : digits
}

function microsOf(text: string): bigint | undefined {
  const match = INSTANT.exec(text)
  if (!match) return undefined
  const [, date, time, fraction = '', zone = 'Z'] = match
  // The only time of the day that dates do not know.
  const isMidnight = time === '24:00:00'
  const at = Date.parse(`${date}T${isMidnight ? '00:00:00' : time}${zone}`)
  if (Number.isNaN(at)) return undefined
  return BigInt(at) * 1000n + BigInt(fraction.slice(0, 6).padEnd(6, '0')) + (isMidnight ? MICROS_A_DAY : 0n)
}

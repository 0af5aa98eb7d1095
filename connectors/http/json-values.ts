import type { FieldType, ScalarType, Value } from '../../schemas/field-type.ts'
import { decimalText, ExactNumber, JSON_NUMBER, type Json, parseExact } from '../exact-json.ts'
import { clockMicros, clockText, dateText, dayOf, instantMicros, instantText } from '../iso-time.ts'

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
      return JSON_NUMBER.test(value) ? written(value) : notJson(type, 'NaN, an infinity')
    case 'double':
      if (typeof value !== 'number') return mistyped(type)
      if (!Number.isFinite(value)) return notJson(type, 'NaN, an infinity')
      return written(Object.is(value, -0) ? '-0' : String(value))
    case 'date':
      if (typeof value !== 'number') return mistyped(type)
      return within(type, dateText(value), '')
    case 'time':
      return typeof value === 'bigint' ? written(`"${clockText(value, 'six')}"`) : mistyped(type)
    case 'timestamp':
    case 'timestamptz':
      if (typeof value !== 'bigint') return mistyped(type)
      return within(type, instantText(value, 'six'), type.kind === 'timestamptz' ? 'Z' : '')
    case 'bytes':
      return Buffer.isBuffer(value) ? written(`"${value.toString('base64')}"`) : mistyped(type)
  }
}

function within(type: FieldType, time: string | undefined, end: string): JsonText {
  return time === undefined ? notJson(type, 'an infinity, a year before 1 or after 9999') : written(`"${time}${end}"`)
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
      return text === undefined ? undefined : decimalText(text, type.scale)
    case 'double':
      return text !== undefined && JSON_NUMBER.test(text) ? Number(text) : undefined
    case 'date':
      return text === undefined ? undefined : dayOf(text)
    case 'time':
      return text === undefined ? undefined : clockMicros(text)
    case 'timestamp':
    case 'timestamptz':
      return text === undefined ? undefined : instantMicros(text)
    case 'bytes':
      return text === undefined ? undefined : Buffer.from(text, 'base64')
  }
}

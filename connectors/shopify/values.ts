import type { FieldType, ScalarType, Value } from '../../schemas/field-type.ts'
import { decimalText } from '../exact-json.ts'
import { clockMicros, clockText, DAY_MICROS, dateText, dayOf, instantMicros, instantText } from '../iso-time.ts'
import type { Json } from './json.ts'

/** What is sent, or why the record can never be. The reason holds no values. */
export type Rendered<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: string; readonly reason: string }

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?$/

/** Writes a canonical value as the field of an input has it: text but for booleans and lists. Numbers go as text, which loses no digit. */
export function renderInput(type: FieldType, value: Value): Rendered<Json> {
  if (value === null) return { ok: true, value: null }
  if (type.kind === 'boolean' && typeof value === 'boolean') return { ok: true, value }
  if (type.kind !== 'array') return renderText(type, value)
  if (!Array.isArray(value)) return mistyped(type.kind)
  const items: Json[] = []
  for (const item of value as readonly Value[]) {
    if (item === null)
      return { ok: false, code: 'list-has-null', reason: 'a list holds a null, and lists there cannot' }
    const rendered = renderText(type.of, item)
    if (!rendered.ok) return rendered
    items.push(rendered.value)
  }
  return { ok: true, value: items }
}

/** Scalars whose form inside a list of a metafield is a JSON number or boolean; all others are JSON strings. */
const BARE_IN_LIST = new Set(['boolean', 'int32', 'int64'])

/** Writes a canonical value as a metafield has it: always text; a list is the text of a JSON array. */
export function renderMetafield(type: FieldType, value: Value): Rendered<string> {
  if (type.kind !== 'array') return renderText(type, value)
  const items = renderInput(type, value)
  if (!items.ok) return items
  const isBare = BARE_IN_LIST.has(type.of.kind)
  const texts = (items.value as readonly string[]).map((item) => (isBare ? item : JSON.stringify(item)))
  return { ok: true, value: `[${texts.join(',')}]` }
}

function renderText(type: ScalarType, value: Value): Rendered<string> {
  switch (type.kind) {
    case 'string':
    case 'enum':
    case 'uuid':
    case 'json':
      if (typeof value !== 'string') return mistyped(type.kind)
      // JSON would carry it as an escape, and the other side could not store it.
      if (!value.isWellFormed()) return refusal('text-not-unicode', 'text holds half a surrogate pair')
      return value.includes('\0') ? refusal('text-nul', 'text holds the character U+0000') : text(value)
    case 'boolean':
      return typeof value === 'boolean' ? text(String(value)) : mistyped(type.kind)
    case 'int32':
    case 'int64':
      return typeof value === 'bigint' ? text(value.toString()) : mistyped(type.kind)
    case 'decimal':
    case 'numeric':
      if (typeof value !== 'string') return mistyped(type.kind)
      return NUMBER.test(value) ? text(value) : outOfRange(type.kind)
    case 'double':
      if (typeof value !== 'number') return mistyped(type.kind)
      return Number.isFinite(value) ? text(String(value)) : outOfRange(type.kind)
    case 'date':
      if (typeof value !== 'number') return mistyped(type.kind)
      return within(type.kind, dateText(value), '')
    case 'time':
      if (typeof value !== 'bigint') return mistyped(type.kind)
      return value >= 0n && value < DAY_MICROS ? text(clockText(value, 'needed')) : outOfRange(type.kind)
    case 'timestamp':
    case 'timestamptz':
      if (typeof value !== 'bigint') return mistyped(type.kind)
      return within(type.kind, instantText(value, 'needed'), 'Z')
    case 'bytes':
      return Buffer.isBuffer(value) ? text(value.toString('base64')) : mistyped(type.kind)
  }
}

/** Reads what an object's field holds back to its canonical form; undefined when that is no value of the type. */
export function readInput(type: FieldType, json: Json | undefined): Value | undefined {
  if (json === null || json === undefined) return null
  if (type.kind !== 'array') return readScalar(type, json)
  if (!Array.isArray(json)) return undefined
  const items = (json as readonly Json[]).map((item) => readScalar(type.of, item))
  return items.includes(undefined) ? undefined : (items as readonly Value[])
}

/** As {@link readInput}, of a metafield's text. */
export function readMetafield(type: FieldType, value: string): Value | undefined {
  if (type.kind !== 'array') return readScalar(type, value)
  // Numbers of any length: `JSON.parse` alone would round them.
  const items = /^\[\s*(-?\d+(\s*,\s*-?\d+)*)?\s*\]$/.test(value) ? (value.match(/-?\d+/g) ?? []) : parsedList(value)
  return items === undefined ? undefined : readInput(type, items)
}

function parsedList(text: string): readonly Json[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    return Array.isArray(parsed) ? (parsed as readonly Json[]) : undefined
  } catch {
    // The caller says which field does not hold a list.
    return undefined
  }
}

function readScalar(type: ScalarType, json: Json): Value | undefined {
  if (type.kind === 'boolean')
    return json === true || json === 'true' ? true : json === false || json === 'false' ? false : undefined
  const value = typeof json === 'number' ? String(json) : json
  if (typeof value !== 'string') return undefined
  switch (type.kind) {
    case 'string':
    case 'enum':
    case 'json':
      return value
    case 'uuid':
      return value.toLowerCase()
    case 'int32':
    case 'int64':
      return /^-?\d{1,19}$/.test(value) ? BigInt(value) : undefined
    case 'decimal':
      return decimalText(value, type.scale)
    case 'numeric':
      return value
    case 'double':
      return Number.isFinite(Number(value)) ? Number(value) : undefined
    case 'date':
      return dayOf(value)
    case 'time':
      return clockMicros(value)
    case 'timestamp':
    case 'timestamptz':
      return instantMicros(value)
    case 'bytes':
      return Buffer.from(value, 'base64')
  }
}

function within(kind: string, written: string | undefined, end: string): Rendered<string> {
  return written === undefined ? outOfRange(kind) : text(`${written}${end}`)
}

function text(value: string): Rendered<string> {
  return { ok: true, value }
}

function refusal(code: string, reason: string): Rendered<never> {
  return { ok: false, code, reason }
}

function mistyped(kind: string): Rendered<never> {
  return refusal('value-mistyped', `a value is not in the canonical form of ${kind}`)
}

function outOfRange(kind: string): Rendered<never> {
  return refusal('value-out-of-range', `a value of type ${kind} has no form at the destination`)
}

import {
  type FieldType,
  type ScalarType,
  TIMESTAMP_INFINITY,
  TIMESTAMP_MINUS_INFINITY,
  type Value,
} from '../../../schemas/field-type.ts'
import { JSON_NUMBER } from '../../exact-json.ts'
import { DAY_MICROS, DAY_MS, dateText } from '../../iso-time.ts'

/** A value as JSON text, or why the record can never be stored. The reason holds no values. */
export type Rendered =
  | { readonly ok: true; readonly json: string }
  | { readonly ok: false; readonly code: RenderingCode; readonly reason: string }

export type RenderingCode = 'value-unrepresentable' | 'text-not-unicode' | 'value-mistyped' | 'key-unsuitable'

/**
 * Writes a canonical value as the JSON that the REST API takes ("Valid Date and DateTime Formats", "Primitive Data Types").
 * Text, not a JavaScript value: a number goes over digit by digit. What an instant has below a millisecond is cut off. An empty text is
 * sent as null, which is what Salesforce makes of it ("Primitive Data Types", Apex Developer Guide). Ranges, lengths and picklists are left to Salesforce.
 */
export function renderValue(type: FieldType, value: Value): Rendered {
  if (value === null) return json('null')
  if (type.kind !== 'array') return renderScalar(type, value)
  if (!Array.isArray(value)) return mistyped(type.kind)
  const chosen: string[] = []
  for (const element of value as readonly Value[]) {
    if (typeof element !== 'string' || element === '' || element.includes(';'))
      return unrepresentable('a list goes into a multi-select picklist: of texts that are not empty and have no `;`')
    chosen.push(element)
  }
  return text(chosen.join(';'))
}

function renderScalar(type: ScalarType, value: Value): Rendered {
  switch (type.kind) {
    case 'string':
    case 'enum':
    case 'uuid':
    case 'json':
      return typeof value === 'string' ? text(value) : mistyped(type.kind)
    case 'boolean':
      return typeof value === 'boolean' ? json(String(value)) : mistyped(type.kind)
    case 'int32':
    case 'int64':
      return typeof value === 'bigint' ? json(value.toString()) : mistyped(type.kind)
    case 'decimal':
    case 'numeric':
      if (typeof value !== 'string') return mistyped(type.kind)
      return JSON_NUMBER.test(value) ? json(value) : unrepresentable('Salesforce has no number that is not finite')
    case 'double':
      if (typeof value !== 'number') return mistyped(type.kind)
      return Number.isFinite(value)
        ? json(String(value))
        : unrepresentable('Salesforce has no number that is not finite')
    case 'date':
      return typeof value === 'number' && Number.isInteger(value) ? renderDate(value) : mistyped(type.kind)
    case 'time':
      if (typeof value !== 'bigint' || value < 0n || value > DAY_MICROS) return mistyped(type.kind)
      if (value === DAY_MICROS) return unrepresentable('Salesforce has no time 24:00')
      return json(`"${new Date(Number(value / 1000n)).toISOString().slice(11)}"`)
    case 'timestamp':
    case 'timestamptz':
      return typeof value === 'bigint' ? renderInstant(value) : mistyped(type.kind)
    case 'bytes':
      return Buffer.isBuffer(value) ? json(`"${value.toString('base64')}"`) : mistyped(type.kind)
  }
}

/** Lookups and keys: the text that a key has, whatever its type. */
export function renderKey(value: Value): Rendered {
  const key = typeof value === 'bigint' || typeof value === 'number' ? String(value) : value
  if (typeof key !== 'string') return mistyped('a key')
  if (!key.isWellFormed()) return notUnicode()
  // Salesforce trims texts ("Primitive Data Types", Apex Developer Guide), so that these would meet the object of another key.
  if (key.trim() !== key || key === '')
    return {
      ok: false,
      code: 'key-unsuitable',
      reason: 'the key is empty, or begins or ends with white space, which Salesforce cuts off',
    }
  return json(JSON.stringify(key))
}

function renderDate(day: number): Rendered {
  const date = dateText(day)
  if (date === undefined) return unrepresentable('Salesforce has no such date: its years have four digits')
  return json(`"${date}"`)
}

function renderInstant(micros: bigint): Rendered {
  if (micros === TIMESTAMP_INFINITY || micros === TIMESTAMP_MINUS_INFINITY)
    return unrepresentable('Salesforce has no instant without end')
  // Rounds towards zero; before 1970 that would be a later instant.
  const ms = Number((micros - (((micros % 1000n) + 1000n) % 1000n)) / 1000n)
  if (dateText(Math.floor(ms / DAY_MS)) === undefined)
    return unrepresentable('Salesforce has no such instant: its years have four digits')
  return json(`"${new Date(ms).toISOString()}"`)
}

function text(value: string): Rendered {
  if (value === '') return json('null')
  return value.isWellFormed() ? json(JSON.stringify(value)) : notUnicode()
}

function json(written: string): Rendered {
  return { ok: true, json: written }
}

function mistyped(kind: string): Rendered {
  return { ok: false, code: 'value-mistyped', reason: `a value is not in the canonical form of ${kind}` }
}

function unrepresentable(reason: string): Rendered {
  return { ok: false, code: 'value-unrepresentable', reason }
}

function notUnicode(): Rendered {
  return { ok: false, code: 'text-not-unicode', reason: 'text holds half a surrogate pair, which is no Unicode text' }
}

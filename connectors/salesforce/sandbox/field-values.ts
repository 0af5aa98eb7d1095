import type { SandboxField } from './objects.ts'

/** A number as it was written, so that none of its digits gets lost on the way in and out. */
export class NumberText {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  toJSON(): unknown {
    // ECMAScript's JSON.rawJSON, which the types do not tell yet.
    return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(this.text)
  }
}

export type Stored = string | boolean | NumberText | null

export interface RecordError {
  readonly statusCode: string
  readonly message: string
  readonly fields: readonly string[]
}

/** A value whose JSON type the field cannot be read from: the whole request is refused, as its reader stops there. */
export class UnreadableValue extends Error {}

/** @throws SyntaxError */
export function parseBody(body: Buffer): unknown {
  const parse = JSON.parse as unknown as (
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ) => unknown
  return parse(body.toString('utf8'), (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined ? new NumberText(source) : value,
  )
}

/**
 * What a field keeps of a value, or why it does not take it. Texts are trimmed, and an empty one is null.
 * @throws UnreadableValue
 */
export function storedValue(field: SandboxField, given: unknown): { readonly kept: Stored } | RecordError {
  const { name, type } = field
  if (given === null || given === '')
    return type === 'boolean'
      ? error('INVALID_TYPE_ON_FIELD_IN_RECORD', `${name}: value not of required type: ${String(given)}`, name)
      : { kept: null }
  switch (type) {
    case 'boolean':
      if (typeof given !== 'boolean') throw new UnreadableValue(`Cannot deserialize instance of boolean from ${given}`)
      return { kept: given }
    case 'int':
    case 'double':
    case 'currency':
      if (!(given instanceof NumberText))
        throw new UnreadableValue(`Cannot deserialize instance of ${type} from ${given}`)
      return storedNumber(field, given.text)
    case 'date':
      return storedDate(name, textOf(type, given), /^\d{4}-\d\d-\d\d$/, 'date')
    case 'datetime': {
      const written = textOf(type, given)
      const instant = storedDate(
        name,
        written,
        /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:?\d\d)$/,
        'datetime',
      )
      return 'kept' in instant ? { kept: new Date(Date.parse(written)).toISOString().replace('Z', '+0000') } : instant
    }
    case 'time': {
      const written = textOf(type, given)
      return /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,3})?Z?$/.test(written)
        ? { kept: written.endsWith('Z') ? written : `${written}Z` }
        : error('INVALID_TYPE_ON_FIELD_IN_RECORD', `${name}: value not of required type: ${written}`, name)
    }
    case 'multipicklist': {
      const chosen = textOf(type, given).split(';')
      const unknown = chosen.find((value) => field.values !== undefined && !field.values.includes(value))
      if (unknown !== undefined) return badPick(name, unknown)
      return { kept: (field.values ?? chosen).filter((value) => chosen.includes(value)).join(';') }
    }
    default: {
      const kept = textOf(type, given).trim()
      if (kept === '') return { kept: null }
      if (kept.length > (field.length ?? 255))
        return error(
          'STRING_TOO_LONG',
          `${name}: data value too large: ${kept} (max length=${field.length ?? 255})`,
          name,
        )
      if (type === 'email' && !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(kept))
        return error('INVALID_EMAIL_ADDRESS', `${name}: invalid email address: ${kept}`, name)
      if (type === 'picklist' && field.values !== undefined && !field.values.includes(kept)) return badPick(name, kept)
      return { kept }
    }
  }
}

function textOf(type: string, given: unknown): string {
  if (typeof given === 'string') return given
  // Its reader turns plain values into text where text is wanted, but no objects and lists.
  if (given instanceof NumberText) return given.text
  if (typeof given === 'boolean') return String(given)
  throw new UnreadableValue(`Cannot deserialize instance of ${type} from START_OBJECT or START_ARRAY`)
}

function storedNumber(field: SandboxField, text: string): { readonly kept: Stored } | RecordError {
  const { name, type, precision = 18, scale = 2 } = field
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)
  // With an exponent it is a double anyway.
  if (!match) return { kept: new NumberText(String(Number(text))) }
  const [, sign, whole = '0', fraction = ''] = match
  const places = type === 'int' ? 0 : scale
  if (whole.replace(/^0+/, '').length > precision - places)
    return error('NUMBER_OUTSIDE_VALID_RANGE', `${name}: value outside of valid range on numeric field: ${text}`, name)
  if (fraction.length <= places) return { kept: new NumberText(text) }
  const units = BigInt(whole + fraction.slice(0, places)) + (fraction[places]! >= '5' ? 1n : 0n)
  const digits = units.toString().padStart(places + 1, '0')
  const rounded = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`
  return { kept: new NumberText(`${sign}${rounded}`) }
}

function storedDate(
  name: string,
  written: string,
  form: RegExp,
  kind: string,
): { readonly kept: string } | RecordError {
  if (!form.test(written) || Number.isNaN(Date.parse(written.replace(/([+-]\d\d)(\d\d)$/, '$1:$2'))))
    throw new UnreadableValue(`Cannot deserialize instance of ${kind} from VALUE_STRING value ${written}`)
  const year = Number(written.slice(0, 4))
  if (year < 1700 || year > 4000) return error('NUMBER_OUTSIDE_VALID_RANGE', `${name}: invalid date: ${written}`, name)
  return { kept: written }
}

function badPick(name: string, value: string): RecordError {
  return error(
    'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST',
    `${name}: bad value for restricted picklist field: ${value}`,
    name,
  )
}

function error(statusCode: string, message: string, field: string): RecordError {
  return { statusCode, message, fields: [field] }
}

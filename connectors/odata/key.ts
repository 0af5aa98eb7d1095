import type { FieldType, Value } from '../../schemas/field-type.ts'
import { parseKey } from '../../schemas/key.ts'
import type { EntityMapping } from '../destination.ts'

/** One part of a key as an OData literal: `'O''Brien'`, `42`. Not percent-encoded. */
export interface KeyPart {
  readonly name: string
  readonly literal: string
  /** The value without quotes, for comparing with what the system answers. */
  readonly text: string
  /** The value as JSON, for a body. */
  readonly json: string
}

export type Key =
  | { readonly ok: true; readonly parts: readonly KeyPart[] }
  | { readonly ok: false; readonly code: string; readonly reason: string }

/**
 * The key of an object in the destination's own fields. A key field that is mapped too has the type and the transform of its mapping; any
 * other has the type of the entity's key field.
 */
export function keyOf(mapping: EntityMapping, key: string): Key {
  const texts = parseKey(key, mapping.keyFields.length)
  if (texts === undefined)
    return refused('key-malformed', 'the key does not have as many parts as the mapping has key fields')
  const parts: KeyPart[] = []
  for (const [at, name] of mapping.keyFields.entries()) {
    const typed = keyType(mapping, at)
    const transformed = transformedKey(mapping, at, texts[at]!)
    if (transformed === null)
      return refused('transform-refused', `the transform of the key field ${name} cannot make its value`)
    if (transformed === '') return refused('key-empty', `the key field ${name} is empty`)
    const literal = literalOf(typed, transformed)
    if (literal === null) return refused('key-mistyped', `the key field ${name} is not written as a ${typed.kind}`)
    parts.push({ name, ...literal, text: transformed })
  }
  return { ok: true, parts }
}

export function keyType(mapping: EntityMapping, at: number): FieldType {
  const mapped = mapping.fields.find(({ to }) => to === mapping.keyFields[at])
  return mapped?.type ?? entityKeyType(mapping, at)
}

/** The types that a key can be addressed by. */
export function isKeyType(type: FieldType): boolean {
  return QUOTED.has(type.kind) || PLAIN[type.kind] !== undefined
}

const QUOTED: ReadonlySet<string> = new Set(['string', 'enum'])
const PLAIN: Partial<Record<FieldType['kind'], RegExp>> = {
  int32: /^-?\d{1,10}$/,
  int64: /^-?\d{1,19}$/,
  decimal: /^-?\d+(\.\d+)?$/,
  numeric: /^-?\d+(\.\d+)?$/,
  uuid: /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i,
  date: /^\d{4}-\d\d-\d\d$/,
}
const NUMERIC: ReadonlySet<string> = new Set(['int32', 'int64', 'decimal', 'numeric'])

/** A value of a field as an OData literal (OData 4.01 ABNF, `primitiveLiteral`): an apostrophe in a text is doubled; null when it is none. */
export function literalOf(type: FieldType, text: string): { readonly literal: string; readonly json: string } | null {
  if (QUOTED.has(type.kind)) {
    if (!text.isWellFormed()) return null
    return { literal: `'${text.replaceAll("'", "''")}'`, json: JSON.stringify(text) }
  }
  if (!PLAIN[type.kind]?.test(text)) return null
  return { literal: text, json: NUMERIC.has(type.kind) ? text : JSON.stringify(text) }
}

/** `(number='O''Brien',line=2)`, percent-encoded: a slash, a question mark or a `#` in a value would end the segment. */
export function predicateOf(parts: readonly Pick<KeyPart, 'name' | 'literal'>[]): string {
  return `(${parts.map(({ name, literal }) => `${name}=${encodeURIComponent(literal)}`).join(',')})`
}

/** `number eq 'O''Brien' and line eq 2`, percent-encoded. */
export function filterOf(parts: readonly KeyPart[]): string {
  return encodeURIComponent(parts.map(({ name, literal }) => `${name} eq ${literal}`).join(' and '))
}

function entityKeyType({ entity }: EntityMapping, at: number): FieldType {
  return entity.fields.find(({ name }) => name === entity.key[at])?.type ?? { kind: 'string' }
}

/** @returns null when the transform refuses */
function transformedKey(mapping: EntityMapping, at: number, text: string): string | null {
  const mapped = mapping.fields.find(({ to }) => to === mapping.keyFields[at])
  if (!mapped?.transform) return text
  const type = entityKeyType(mapping, at)
  const value: Value = type.kind === 'int32' || type.kind === 'int64' ? BigInt(text) : text
  try {
    const made = mapped.transform([value])
    return typeof made === 'string' || typeof made === 'bigint' ? String(made) : null
  } catch {
    // A transform may fail in any way, and what it says may hold values: the caller names the field.
    return null
  }
}

function refused(code: string, reason: string): Key {
  return { ok: false, code, reason }
}

import type { FieldType, ScalarType } from '../../../schemas/field-type.ts'

/** A PostgreSQL type as the catalogue describes it. */
export interface TypeFacts {
  readonly oid: number
  readonly name: string
  /** pg_type.typtype: b base, c composite, d domain, e enum, m multirange, r range. */
  readonly kind: string
  /** What a domain is over; 0 for other types. */
  readonly base: number
  /** What an array holds; 0 for other types. */
  readonly element: number
  /** What separates values of this type in an array's text. */
  readonly delimiter: string
}

export type Types = ReadonlyMap<number, TypeFacts>

const TEXTS = ['text', 'varchar', 'bpchar', 'name', 'citext']

/** Which PostgreSQL types each declared type can be read from; a string takes any type's text. */
const SOURCES: Readonly<Record<Exclude<ScalarType['kind'], 'string'>, readonly string[]>> = {
  boolean: ['bool'],
  int32: ['int2', 'int4'],
  int64: ['int2', 'int4', 'int8', 'oid'],
  decimal: ['numeric', 'int2', 'int4', 'int8'],
  numeric: ['numeric', 'int2', 'int4', 'int8'],
  double: ['float4', 'float8'],
  date: ['date'],
  time: ['time'],
  timestamp: ['timestamp'],
  timestamptz: ['timestamptz'],
  uuid: ['uuid', ...TEXTS],
  bytes: ['bytea'],
  json: ['json', 'jsonb'],
  enum: TEXTS,
}

/** Types of which no text form is one value's only form, so that they cannot name an object. */
const KEY_KINDS_REFUSED: readonly FieldType['kind'][] = ['double', 'json', 'array', 'bytes']

export function isKeyType(type: FieldType): boolean {
  return !KEY_KINDS_REFUSED.includes(type.kind)
}

/**
 * Whether a column of type `oid` can be read as a field of type `declared`; domains count as what they are over.
 * @returns undefined when it fits, else what the column is and which types would fit
 */
export function misfit(declared: FieldType, oid: number, types: Types): string | undefined {
  const type = undomained(oid, types)
  if (type === undefined) return `has a type (oid ${oid}) that the catalogue does not know`
  if (declared.kind === 'array') {
    const element = type.element === 0 ? undefined : undomained(type.element, types)
    if (element === undefined || !type.name.startsWith('_')) return `is ${type.name}, not an array`
    if (element.delimiter !== ',')
      return `is an array of ${element.name}, whose text is split by "${element.delimiter}"; it is read as string`
    return fits(declared.of, element) ? undefined : describe(declared.of, `an array of ${element.name}`)
  }
  return fits(declared, type) ? undefined : describe(declared, type.name)
}

function fits(declared: ScalarType, type: TypeFacts): boolean {
  if (declared.kind === 'string') return true
  if (declared.kind === 'enum' && type.kind === 'e') return true
  return SOURCES[declared.kind].includes(type.name)
}

function describe(declared: ScalarType, actual: string): string {
  const known = declared.kind === 'string' ? [] : SOURCES[declared.kind]
  return `is ${actual}; ${declared.kind} is read from ${known.join(', ')}${declared.kind === 'enum' ? ' or an enum' : ''}`
}

/** A type, or what a domain is over in the end. */
export function undomained(oid: number, types: Types): TypeFacts | undefined {
  let type = types.get(oid)
  for (let depth = 0; type?.kind === 'd' && depth < 32; depth++) type = types.get(type.base)
  return type
}

import {
  type AvroObject,
  type AvroSchema,
  ENTITY_PROPERTY,
  FIELD_PROPERTY,
  KEY_PROPERTY,
  TYPE_PROPERTY,
} from '../avro.ts'

const PRIMITIVES = ['string', 'boolean', 'int', 'long', 'double', 'bytes'] as const
type Primitive = (typeof PRIMITIVES)[number]

/** How a value lies in a record's bytes, and what it means. */
export interface Representation {
  readonly primitive: Primitive
  /** Avro's logical type; null when there is none. */
  readonly logical: string | null
  /** Of a decimal; 0 otherwise. */
  readonly precision: number
  readonly scale: number
  /** Whether it is an array of such values (each may be null). */
  readonly array: boolean
}

export interface FieldLayout {
  /** The entity's name of the field. */
  readonly name: string
  readonly avroName: string
  /** Undefined when it is nothing that tributary writes. */
  readonly representation: Representation | undefined
  /** The declared type at the time it was registered, in words. */
  readonly declared: string
}

/** What a delta's schema says, read back from its JSON. */
export interface DeltaLayout {
  readonly fullName: string
  readonly entity: string
  readonly key: readonly string[]
  /** The fields of the delta itself, in the writer's order. */
  readonly envelope: readonly AvroObject[]
  /** The fields of `after`, in the writer's order. */
  readonly fields: readonly FieldLayout[]
}

/** Reads a schema of a registry; undefined when it is not that of a delta. */
export function deltaLayout(schema: AvroSchema): DeltaLayout | undefined {
  const envelope = recordFields(schema)
  if (!envelope) return undefined
  const after = recordFields(envelope.find((field) => field.name === 'after')?.type ?? 'null')
  const record = schema as AvroObject
  const entity = record[ENTITY_PROPERTY]
  const key = record[KEY_PROPERTY]
  if (!after || typeof entity !== 'string' || !isStrings(key)) return undefined
  const fields = after.map(fieldLayout)
  if (fields.some((field) => field.name === '__proto__')) return undefined
  return { fullName: fullName(record), entity, key, envelope, fields }
}

/** The fields of a record; undefined when the schema is not one. */
export function recordFields(schema: AvroSchema): readonly AvroObject[] | undefined {
  if (!isObject(schema) || schema.type !== 'record' || !Array.isArray(schema.fields)) return undefined
  const fields = schema.fields as readonly unknown[]
  return fields.every((field): field is AvroObject => isObject(field) && typeof field.name === 'string')
    ? fields
    : undefined
}

function fieldLayout(field: AvroObject): FieldLayout {
  const avroName = field.name as string
  const name = field[FIELD_PROPERTY]
  const representation = representationOf(field.type)
  const declared = field[TYPE_PROPERTY]
  return {
    name: typeof name === 'string' ? name : avroName,
    avroName,
    representation,
    declared: typeof declared === 'string' ? declared : representation ? describe(representation) : 'something else',
  }
}

/** The representation of `["null", T]`. */
function representationOf(schema: AvroSchema): Representation | undefined {
  const value = nullable(schema)
  if (value === undefined) return undefined
  if (!isObject(value) || value.type !== 'array') return scalar(value)
  const item = nullable(value.items as AvroSchema)
  const of = item === undefined ? undefined : scalar(item)
  return of && { ...of, array: true }
}

function nullable(schema: AvroSchema): AvroSchema | undefined {
  return Array.isArray(schema) && schema.length === 2 && schema[0] === 'null' ? (schema[1] as AvroSchema) : undefined
}

function scalar(schema: AvroSchema): Representation | undefined {
  const type = isObject(schema) ? schema.type : schema
  const primitive = PRIMITIVES.find((name) => name === type)
  if (!primitive) return undefined
  const object = isObject(schema) ? schema : undefined
  const logical = typeof object?.logicalType === 'string' ? object.logicalType : null
  const plain = { primitive, logical, precision: 0, scale: 0, array: false }
  if (primitive !== 'bytes' || logical !== 'decimal') return plain
  const { precision, scale = 0 } = object!
  if (typeof precision !== 'number' || typeof scale !== 'number') return undefined
  return { ...plain, precision, scale }
}

/** In words, such as `decimal(12,2)` or `long (timestamp-micros)`. */
export function describe(representation: Representation): string {
  const { primitive, logical, precision, scale, array } = representation
  const one =
    logical === 'decimal'
      ? `decimal(${precision},${scale})`
      : logical === null
        ? primitive
        : `${primitive} (${logical})`
  return array ? `array of ${one}` : one
}

/**
 * What decides about a schema's bytes, as text: equal for two schemas whose records are laid out alike. Names of types,
 * defaults and properties do not.
 */
export function bytesLayout(schema: AvroSchema): string {
  return JSON.stringify(strip(schema))
}

function strip(schema: AvroSchema): unknown {
  if (Array.isArray(schema)) return (schema as readonly AvroSchema[]).map(strip)
  if (!isObject(schema)) return schema
  const { type, logicalType, precision, scale, symbols, items, values } = schema
  const fields = recordFields(schema)?.map((field) => [field.name, strip(field.type)])
  const parts = { type: strip(type), logicalType, precision, scale, symbols, fields }
  return {
    ...parts,
    items: items === undefined ? undefined : strip(items as AvroSchema),
    values: values === undefined ? undefined : strip(values as AvroSchema),
  }
}

function fullName(record: AvroObject): string {
  return typeof record.namespace === 'string' ? `${record.namespace}.${record.name}` : String(record.name)
}

function isObject(value: unknown): value is AvroObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

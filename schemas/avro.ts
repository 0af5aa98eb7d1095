import { createHash } from 'node:crypto'
import type { Entity, Field } from './entity.ts'
import { TributaryError } from './errors.ts'
import { formatFieldType, type ScalarType } from './field-type.ts'

/** An Avro schema as JSON: a type's name, a union, or an object with its attributes. */
export type AvroSchema = string | readonly AvroSchema[] | AvroObject

export interface AvroObject {
  readonly type: AvroSchema
  readonly [attribute: string]: unknown
}

/** Properties of ours in a schema. Avro ignores properties that it does not know, and so does its compatibility check. */
export const ENTITY_PROPERTY = 'tributary.entity'
export const KEY_PROPERTY = 'tributary.key'
/** The entity's name of a field whose name is not an Avro name. */
export const FIELD_PROPERTY = 'tributary.field'
/** The declared type of a field, such as `int32`. */
export const TYPE_PROPERTY = 'tributary'

/** The subject of a topic's values (Confluent's TopicName strategy). */
export function valueSubject(topic: string): string {
  return `${topic}-value`
}

const TIMESTAMP = { type: 'long', logicalType: 'timestamp-micros' } as const

/**
 * The Avro schema of an entity's deltas. Deterministic: the same declaration gives the same JSON, byte for byte.
 *
 * `op` and `version` come first, so that `peekVersion` finds them without a schema. Every field of `after` may be null and is
 * null by default, so that fields can be added and removed under FULL_TRANSITIVE.
 * @throws TributaryError `declaration-invalid` when two fields get the same Avro name
 */
export function deltaSchema(prefix: string, entity: Entity): AvroObject {
  const base = recordName(entity.name)
  return {
    type: 'record',
    name: `${base}_Delta`,
    namespace: ['tributary', ...prefix.split('.')].map(avroName).join('.'),
    [ENTITY_PROPERTY]: entity.name,
    [KEY_PROPERTY]: [...entity.key],
    fields: [
      { name: 'op', type: operationType(base) },
      { name: 'version', type: versionType(base) },
      { name: 'changed', type: ['null', { type: 'array', items: 'string' }], default: null },
      { name: 'after', type: { type: 'record', name: `${base}_After`, fields: afterFields(entity) } },
      { name: 'source', type: sourceType(base) },
      { name: 'origin', type: ['null', 'string'], default: null },
      { name: 'claims', type: { type: 'map', values: claimType(base) }, default: {} },
    ],
  }
}

function operationType(base: string): AvroObject {
  // The default is what a reader takes an operation for that was added after it was deployed.
  return { type: 'enum', name: `${base}_Operation`, symbols: ['create', 'update', 'snapshot'], default: 'update' }
}

function versionType(base: string): AvroObject {
  return {
    type: 'record',
    name: `${base}_Version`,
    fields: [
      { name: 'epoch', type: 'long' },
      { name: 'position', type: 'long' },
      { name: 'ordinal', type: 'int' },
    ],
  }
}

function sourceType(base: string): AvroObject {
  return {
    type: 'record',
    name: `${base}_Source`,
    fields: [
      { name: 'system', type: 'string' },
      { name: 'instance', type: 'string' },
      { name: 'object', type: 'string' },
      { name: 'position', type: 'string' },
      { name: 'transaction', type: ['null', 'string'], default: null },
      { name: 'committedAt', type: TIMESTAMP },
      { name: 'capturedAt', type: TIMESTAMP },
    ],
  }
}

function claimType(base: string): AvroObject {
  return {
    type: 'record',
    name: `${base}_Claim`,
    fields: [
      { name: 'uri', type: 'string' },
      { name: 'sha256', type: 'string' },
      { name: 'bytes', type: 'long' },
    ],
  }
}

function afterFields(entity: Entity): AvroObject[] {
  const taken = new Map<string, string>()
  return entity.fields.map((field) => {
    const name = avroName(field.name)
    const other = taken.get(name)
    if (other !== undefined)
      throw new TributaryError(
        'declaration-invalid',
        `entity ${entity.name}: the fields "${other}" and "${field.name}" are both called "${name}" in Avro, which knows letters, digits and "_" only; rename one of them`,
        { cause: new Error('two fields with one Avro name') },
      )
    // An object's key of this name would set the object's prototype.
    if (field.name === '__proto__')
      throw new TributaryError('declaration-invalid', `entity ${entity.name}: a field cannot be called "__proto__"`, {
        cause: new Error('reserved field name'),
      })
    taken.set(name, field.name)
    return afterField(name, field)
  })
}

function afterField(name: string, field: Field): AvroObject {
  const { type } = field
  const value: AvroSchema =
    type.kind === 'array' ? { type: 'array', items: ['null', scalarSchema(type.of)] } : scalarSchema(type)
  return {
    name,
    type: ['null', value],
    default: null,
    [TYPE_PROPERTY]: formatFieldType(type),
    ...(name === field.name ? {} : { [FIELD_PROPERTY]: field.name }),
  }
}

/** How a declared type is represented. What is a string for want of an Avro type of its own is told by {@link TYPE_PROPERTY}. */
export function scalarSchema(type: ScalarType): AvroSchema {
  switch (type.kind) {
    case 'string':
    case 'numeric':
    case 'json':
    case 'enum':
      return 'string'
    case 'boolean':
    case 'double':
    case 'bytes':
      return type.kind
    case 'int32':
    case 'int64':
      // Always long, so that a column can be widened without a new field.
      return 'long'
    case 'decimal':
      return { type: 'bytes', logicalType: 'decimal', precision: type.precision, scale: type.scale }
    case 'date':
      return { type: 'int', logicalType: 'date' }
    case 'time':
      return { type: 'long', logicalType: 'time-micros' }
    case 'timestamp':
      return { type: 'long', logicalType: 'local-timestamp-micros' }
    case 'timestamptz':
      return TIMESTAMP
    case 'uuid':
      return { type: 'string', logicalType: 'uuid' }
  }
}

/** `first-name` becomes `first_name`, `2nd` becomes `_2nd`. */
function avroName(name: string): string {
  const replaced = name.replace(/[^A-Za-z0-9_]/g, '_')
  return /^[A-Za-z_]/.test(replaced) ? replaced : `_${replaced}`
}

/** Unlike fields, entities are not seen together here: a name that had to be altered gets a hash, so `a-b` and `a_b` differ. */
function recordName(entity: string): string {
  const name = avroName(entity)
  if (name === entity) return name
  return `${name}_${createHash('sha256').update(entity).digest('hex').slice(0, 8)}`
}

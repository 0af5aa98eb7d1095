import { NumberText, type RecordError, type Stored, storedValue, UnreadableValue } from './field-values.ts'
import { relationshipNameOf, type SandboxField, type SandboxObject } from './objects.ts'

export type StoredRecord = Map<string, Stored>

/** The whole request cannot be read: 400 with this code. */
export class RequestRefused extends Error {
  readonly errorCode: string
  constructor(errorCode: string, message: string) {
    super(message)
    this.errorCode = errorCode
  }
}

/** The most records of one organisation. */
const RECORDS_MAX = 200_000

export interface Store {
  readonly objects: readonly SandboxObject[]
  object(name: string): SandboxObject | undefined
  records(name: string): ReadonlyMap<string, StoredRecord>
  /** The ids of the objects that have this value. Texts that do not tell case match without regard to it. */
  find(object: SandboxObject, field: SandboxField, value: Stored): readonly string[]
  /** Reads the values of a record's body. @throws RequestRefused for what cannot be read at all */
  read(object: SandboxObject, body: Readonly<Record<string, unknown>>): StoredRecord | RecordError
  create(object: SandboxObject, values: StoredRecord): { readonly id: string } | RecordError
  update(object: SandboxObject, id: string, values: StoredRecord): RecordError | null
  remove(object: SandboxObject, id: string): RecordError | null
}

export function createStore(objects: readonly SandboxObject[]): Store {
  const all = new Map(objects.map((object) => [object.name.toLowerCase(), object]))
  const held = new Map(objects.map(({ name }) => [name, new Map<string, StoredRecord>()]))
  const deleted = new Set<string>()
  /** object.field → value → ids */
  const index = new Map<string, Map<string, Set<string>>>()
  let counted = 0

  const indexOf = (object: SandboxObject, field: SandboxField) => {
    const name = `${object.name}.${field.name}`
    const values = index.get(name) ?? new Map<string, Set<string>>()
    index.set(name, values)
    return values
  }
  const isIndexed = (field: SandboxField) => field.unique === true || field.externalId === true
  const track = (object: SandboxObject, id: string, record: StoredRecord, isThere: boolean) => {
    for (const field of object.fields.filter(isIndexed)) {
      const value = record.get(field.name) ?? null
      if (value === null) continue
      const ids = indexOf(object, field)
      const folded = foldedValue(field, value)
      const set = ids.get(folded) ?? new Set()
      if (isThere) ids.set(folded, set.add(id))
      else set.delete(id)
      if (set.size === 0) ids.delete(folded)
    }
  }
  const find: Store['find'] = (object, field, value) => {
    if (value === null) return []
    if (isIndexed(field)) return [...(indexOf(object, field).get(foldedValue(field, value)) ?? [])]
    const wanted = foldedValue(field, value)
    return [...held.get(object.name)!]
      .filter(([, record]) => {
        const there = record.get(field.name) ?? null
        return there !== null && foldedValue(field, there) === wanted
      })
      .map(([id]) => id)
  }
  const fieldOf = (object: SandboxObject, name: string) =>
    object.fields.find((field) => field.name.toLowerCase() === name.toLowerCase())
  const objectOf = (name: string) => all.get(name.toLowerCase())

  /** A lookup written as `Account__r: {Ext_Id__c: '…'}`. */
  const reference = (object: SandboxObject, name: string, given: unknown): [string, Stored] | RecordError => {
    const field = object.fields.find((one) => relationshipNameOf(one)?.toLowerCase() === name.toLowerCase())
    if (field === undefined)
      throw new RequestRefused('INVALID_FIELD', `No such column '${name}' on sobject of type ${object.name}`)
    if (given === null) return [field.name, null]
    if (typeof given !== 'object') throw new RequestRefused('JSON_PARSER_ERROR', `${name} is no object`)
    const members = Object.entries(given).filter(([member]) => member !== 'attributes')
    const [member, ...more] = members
    const target = objectOf(field.referenceTo?.[0] ?? '')
    const key = member && target && fieldOf(target, member[0])
    if (member === undefined || more.length > 0 || !target || !key || !key.externalId)
      throw new RequestRefused(
        'INVALID_FIELD',
        `More than 1 field provided in an external foreign key reference in entity: ${target?.name}`,
      )
    const ids = typeof member[1] === 'string' ? find(target, key, member[1]) : []
    if (ids.length === 1) return [field.name, ids[0]!]
    return {
      statusCode: 'INVALID_FIELD',
      message: `Foreign key external ID: ${String(member[1]).toLowerCase()} ${ids.length > 1 ? 'matches several' : 'not found'} for field ${key.name} in entity ${target.name}`,
      fields: [],
    }
  }

  const clash = (object: SandboxObject, id: string | null, values: StoredRecord): RecordError | null => {
    for (const field of object.fields.filter(({ unique }) => unique)) {
      const value = values.get(field.name) ?? null
      const holder = find(object, field, value).find((other) => other !== id)
      if (holder !== undefined)
        return {
          statusCode: 'DUPLICATE_VALUE',
          message: `duplicate value found: ${field.name} duplicates value on record with id: ${holder}`,
          fields: [],
        }
    }
    return null
  }
  const lacking = (object: SandboxObject, record: StoredRecord): RecordError | null => {
    const missing = object.fields
      .filter((field) => field.required && (record.get(field.name) ?? null) === null)
      .map(({ name }) => name)
    return missing.length === 0
      ? null
      : { statusCode: 'REQUIRED_FIELD_MISSING', message: `Required fields are missing: [${missing}]`, fields: missing }
  }
  /** Why an id leads nowhere. */
  const notFound = (object: SandboxObject, id: string): RecordError | null => {
    if (held.get(object.name)!.has(id)) return null
    if (deleted.has(id)) return { statusCode: 'ENTITY_IS_DELETED', message: 'entity is deleted', fields: [] }
    return /^\w{15}(\w{3})?$/.test(id)
      ? { statusCode: 'INVALID_CROSS_REFERENCE_KEY', message: 'invalid cross reference id', fields: [] }
      : { statusCode: 'MALFORMED_ID', message: `malformed id ${id}`, fields: ['Id'] }
  }

  return {
    objects,
    object: objectOf,
    records: (name) => held.get(objectOf(name)?.name ?? '') ?? new Map(),
    find,
    read(object, body) {
      const values: StoredRecord = new Map()
      for (const [name, given] of Object.entries(body)) {
        if (name === 'attributes') continue
        const field = fieldOf(object, name)
        if (field === undefined) {
          const found = reference(object, name, given)
          if (!Array.isArray(found)) return found
          values.set(found[0], found[1])
          continue
        }
        if (field.readOnly)
          return {
            statusCode: 'INVALID_FIELD_FOR_INSERT_UPDATE',
            message: `Unable to create/update fields: ${field.name}.`,
            fields: [field.name],
          }
        try {
          const read = storedValue(field, given)
          if (!('kept' in read)) return read
          values.set(field.name, read.kept)
        } catch (error) {
          if (error instanceof UnreadableValue) throw new RequestRefused('JSON_PARSER_ERROR', error.message)
          throw error
        }
      }
      return values
    },
    create(object, values) {
      const record: StoredRecord = new Map(
        object.fields.map((field) => [field.name, field.type === 'boolean' ? false : null]),
      )
      for (const [name, value] of values) record.set(name, value)
      const wrong = lacking(object, record) ?? clash(object, null, values)
      if (wrong) return wrong
      if (counted >= RECORDS_MAX) return { statusCode: 'STORAGE_LIMIT_EXCEEDED', message: 'storage limit', fields: [] }
      const id = `${object.prefix}SB${(++counted).toString(36).toUpperCase().padStart(10, '0')}AAA`
      held.get(object.name)!.set(id, record)
      track(object, id, record, true)
      return { id }
    },
    update(object, id, values) {
      const wrong = notFound(object, id)
      if (wrong) return wrong
      const record = held.get(object.name)!.get(id)!
      const next = new Map([...record, ...values])
      const refused = lacking(object, next) ?? clash(object, id, values)
      if (refused) return refused
      track(object, id, record, false)
      held.get(object.name)!.set(id, next)
      track(object, id, next, true)
      return null
    },
    remove(object, id) {
      const wrong = notFound(object, id)
      if (wrong) return wrong
      track(object, id, held.get(object.name)!.get(id)!, false)
      held.get(object.name)!.delete(id)
      deleted.add(id)
      return null
    },
  }
}

function foldedValue(field: SandboxField, value: Stored): string {
  const text = value instanceof NumberText ? value.text : String(value)
  return field.caseSensitive ? text : text.toLowerCase()
}

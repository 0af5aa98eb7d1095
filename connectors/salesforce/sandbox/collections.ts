import type { RecordError } from './field-values.ts'
import type { SandboxField, SandboxObject } from './objects.ts'
import { RequestRefused, type Store, type StoredRecord } from './store.ts'

export interface SaveResult {
  readonly id?: string
  readonly success: boolean
  readonly created?: boolean
  readonly errors: readonly RecordError[]
}

/** Why a good record is refused all the same: a rule of the organisation, or what a test told. */
export type Objection = (object: SandboxObject, key: string | null) => RecordError | null

/** "Using sObject Collections": the most records of one request. */
const RECORDS_MAX = 200

export function failed(...errors: readonly RecordError[]): SaveResult {
  return { success: false, errors }
}

/** The external id of an object that is in the store, for the rules of a test. */
export function keyOf(store: Store, object: SandboxObject, id: string): string | null {
  const field = object.fields.find(({ externalId }) => externalId)
  const value = field && store.records(object.name).get(id)?.get(field.name)
  return typeof value === 'string' ? value : null
}

/** "Upsert Records Using sObject Collections", one record: creates where nothing has the key. */
export function upsertOne(
  store: Store,
  object: SandboxObject,
  field: SandboxField,
  key: string,
  values: StoredRecord,
  objection: Objection,
  updateOnly = false,
): SaveResult | { readonly several: readonly string[] } | { readonly missing: true } {
  const ids = store.find(object, field, key)
  if (ids.length > 1) return { several: ids }
  const refused = objection(object, key)
  if (refused) return failed(refused)
  const [id] = ids
  if (id === undefined) {
    if (updateOnly) return { missing: true }
    const made = store.create(object, new Map([[field.name, key], ...values]))
    return 'id' in made ? { id: made.id, success: true, errors: [], created: true } : failed(made)
  }
  const wrong = store.update(object, id, values)
  return wrong ? failed(wrong) : { id, success: true, errors: [], created: false }
}

export function upsertMany(
  store: Store,
  object: SandboxObject,
  field: SandboxField,
  body: unknown,
  objection: Objection,
): readonly SaveResult[] {
  const records = recordsOf(body).map((record) => {
    typeOf(store, record, object)
    if (memberOf(record, 'id') !== undefined)
      throw new RequestRefused('INVALID_FIELD', 'Do not specify the id field: the external ID is used')
    const key = memberOf(record, field.name)
    return { key, values: store.read(object, without(record, field.name)) }
  })
  const seen = new Set<unknown>()
  return records.map(({ key, values }) => {
    if (typeof key !== 'string' || key.trim() === '')
      return failed({ statusCode: 'MISSING_ARGUMENT', message: `${field.name} not specified`, fields: [] })
    const folded = field.caseSensitive ? key : key.toLowerCase()
    if (seen.has(folded))
      return failed({
        statusCode: 'DUPLICATE_VALUE',
        message: `Duplicate external id specified: ${key}`,
        fields: [field.name],
      })
    seen.add(folded)
    if (!(values instanceof Map)) return failed(values)
    const result = upsertOne(store, object, field, key.trim(), values, objection)
    if ('several' in result)
      return failed({
        statusCode: 'DUPLICATE_EXTERNAL_ID',
        message: `${field.name}: more than one record found for external id field: [${result.several}]`,
        fields: [field.name],
      })
    return result as SaveResult
  })
}

/** "Update Records Using sObject Collections" */
export function updateMany(store: Store, body: unknown, objection: Objection): readonly SaveResult[] {
  return recordsOf(body)
    .map((record) => {
      const object = typeOf(store, record)
      const id = memberOf(record, 'id')
      if (typeof id !== 'string') throw new RequestRefused('MISSING_ARGUMENT', 'Id not specified in an update call')
      return { object, id, values: store.read(object, without(record, 'id')) }
    })
    .map(({ object, id, values }) => {
      if (!(values instanceof Map)) return failed(values)
      const wrong = objection(object, keyOf(store, object, id)) ?? store.update(object, id, values)
      return wrong ? failed(wrong) : { id, success: true, errors: [] }
    })
}

/** "Create Records Using sObject Collections" */
export function createMany(store: Store, body: unknown): readonly SaveResult[] {
  return recordsOf(body)
    .map((record) => ({ object: typeOf(store, record), record }))
    .map(({ object, record }) => {
      const values = store.read(object, record)
      if (!(values instanceof Map)) return failed(values)
      const made = store.create(object, values)
      return 'id' in made ? { id: made.id, success: true, errors: [] } : failed(made)
    })
}

/** "Delete Records Using sObject Collections" */
export function deleteMany(store: Store, ids: readonly string[], objection: Objection): readonly SaveResult[] {
  if (ids.length > RECORDS_MAX) throw tooMany()
  return ids.map((id) => {
    const object = store.objects.find(({ prefix }) => id.startsWith(prefix))
    if (object === undefined) return failed({ statusCode: 'MALFORMED_ID', message: `malformed id ${id}`, fields: [] })
    const wrong = objection(object, keyOf(store, object, id)) ?? store.remove(object, id)
    return wrong ? failed(wrong) : { id, success: true, errors: [] }
  })
}

function recordsOf(body: unknown): readonly Readonly<Record<string, unknown>>[] {
  const records = (body as { records?: unknown } | null)?.records
  if (!Array.isArray(records)) throw new RequestRefused('JSON_PARSER_ERROR', 'records is missing')
  if (records.length > RECORDS_MAX) throw tooMany()
  if (records.some((record) => typeof record !== 'object' || record === null))
    throw new RequestRefused('JSON_PARSER_ERROR', 'a record is no object')
  return records as readonly Readonly<Record<string, unknown>>[]
}

function tooMany(): RequestRefused {
  return new RequestRefused(
    'EXCEEDED_ID_LIMIT',
    `record limit reached. cannot submit more than ${RECORDS_MAX} records in this call`,
  )
}

/** Each record's `attributes` name its type; those of an upsert are all of the object in the address. */
function typeOf(store: Store, record: Readonly<Record<string, unknown>>, expected?: SandboxObject): SandboxObject {
  const type = (record.attributes as { type?: unknown } | undefined)?.type
  const object = typeof type === 'string' ? store.object(type) : undefined
  if (object === undefined) throw new RequestRefused('INVALID_TYPE', `sObject type '${String(type)}' is not supported.`)
  if (expected !== undefined && object !== expected)
    throw new RequestRefused('INVALID_TYPE', `all records must be of type ${expected.name}`)
  return object
}

function memberOf(record: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.entries(record).find(([member]) => member.toLowerCase() === name.toLowerCase())?.[1]
}

export function without(record: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(record).filter(([member]) => member.toLowerCase() !== name.toLowerCase()))
}

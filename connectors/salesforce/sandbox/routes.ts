import type { SandboxAnswer, SandboxRequest } from '../../http/sandbox-server.ts'
import { json } from './answer.ts'
import {
  createMany,
  deleteMany,
  keyOf,
  type Objection,
  updateMany,
  upsertMany,
  upsertOne,
  without,
} from './collections.ts'
import { parseBody, type RecordError } from './field-values.ts'
import { describeObject, type SandboxObject } from './objects.ts'
import { runQuery } from './run-query.ts'
import { RequestRefused, type Store } from './store.ts'

/** Answers a request of somebody who may make it. @throws RequestRefused */
export function route(store: Store, request: SandboxRequest, objection: Objection, pageMax: number): SandboxAnswer {
  const { method, path, query } = request
  const [version, first, ...rest] = path
    .replace(/^\/services\/data\//, '')
    .split('/')
    .map(decoded)
  if (!/^v\d+\.0$/.test(version ?? '')) throw notFound()
  if (first === 'query' && method === 'GET') return runQuery(store, query.get('q'), rest[0], version!, pageMax)
  if (first === 'composite' && rest[0] === 'sobjects') {
    if (method === 'DELETE') return json(200, deleteMany(store, (query.get('ids') ?? '').split(','), objection))
    const body = bodyOf(request)
    if (method === 'POST') return json(200, createMany(store, body))
    if (method !== 'PATCH') throw notFound()
    if (rest.length === 1) return json(200, updateMany(store, body, objection))
    const { object, field } = keyedObject(store, rest[1], rest[2])
    return json(200, upsertMany(store, object, field, body, objection))
  }
  if (first !== 'sobjects') throw notFound()
  const object = store.object(rest[0] ?? '')
  if (object === undefined) throw notFound()
  if (rest.length === 1 && method === 'POST') return createOne(store, object, request)
  if (rest.length === 2 && rest[1] === 'describe') return json(200, describeObject(object))
  if (rest.length === 2) return byId(store, object, rest[1]!, request, objection)
  if (rest.length === 3) return byKey(store, request, rest as [string, string, string], objection)
  throw notFound()
}

/** "sObject Rows by External ID" */
function byKey(
  store: Store,
  request: SandboxRequest,
  [objectName, fieldName, given]: [string, string, string],
  objection: Objection,
): SandboxAnswer {
  const { object, field } = keyedObject(store, objectName, fieldName)
  // What follows a dot is taken for a format: its note on top level domains.
  if (/\.(inc|json|xml)$/.test(given)) throw notFound()
  const ids = store.find(object, field, given)
  if (ids.length > 1)
    return json(
      300,
      ids.map((id) => `/services/data/v66.0/sobjects/${object.name}/${id}`),
    )
  if (request.method !== 'PATCH') {
    if (ids[0] === undefined) throw notFound()
    return byId(store, object, ids[0], request, objection)
  }
  const body = bodyOf(request) as Readonly<Record<string, unknown>>
  if ([field.name, 'Id'].some((name) => Object.keys(without(body, name)).length < Object.keys(body).length))
    throw new RequestRefused('INVALID_FIELD', `The ${field.name} field should not be specified in the sobject data.`)
  const values = store.read(object, body)
  if (!(values instanceof Map)) return refusedRecord(values)
  const result = upsertOne(store, object, field, given, values, objection, request.query.get('updateOnly') === 'true')
  if ('missing' in result || 'several' in result) throw notFound()
  if (!result.success) return refusedRecord(result.errors[0]!)
  return json(result.created ? 201 : 200, result)
}

/** "sObject Rows" */
function byId(
  store: Store,
  object: SandboxObject,
  id: string,
  request: SandboxRequest,
  objection: Objection,
): SandboxAnswer {
  const record = store.records(object.name).get(id)
  if (record === undefined) throw notFound()
  if (request.method === 'GET')
    return json(200, { attributes: { type: object.name }, Id: id, ...Object.fromEntries(record) })
  const refused = objection(object, keyOf(store, object, id))
  if (refused) return refusedRecord(refused)
  if (request.method === 'DELETE') {
    store.remove(object, id)
    return { status: 204 }
  }
  if (request.method !== 'PATCH') throw notFound()
  const values = store.read(object, bodyOf(request) as Readonly<Record<string, unknown>>)
  if (!(values instanceof Map)) return refusedRecord(values)
  const wrong = store.update(object, id, values)
  return wrong ? refusedRecord(wrong) : { status: 204 }
}

function createOne(store: Store, object: SandboxObject, request: SandboxRequest): SandboxAnswer {
  const values = store.read(object, bodyOf(request) as Readonly<Record<string, unknown>>)
  if (!(values instanceof Map)) return refusedRecord(values)
  const made = store.create(object, values)
  return 'id' in made ? json(201, { id: made.id, success: true, errors: [] }) : refusedRecord(made)
}

function keyedObject(store: Store, objectName = '', fieldName = '') {
  const object = store.object(objectName)
  const field = object?.fields.find(({ name }) => name.toLowerCase() === fieldName.toLowerCase())
  if (object === undefined || !field?.externalId)
    throw new RequestRefused(
      'NOT_FOUND',
      `Provided external ID field does not exist or is not accessible: ${fieldName}`,
    )
  return { object, field }
}

function bodyOf(request: SandboxRequest): unknown {
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? ''))
    throw new RequestRefused('UNSUPPORTED_MEDIA_TYPE', 'Content-Type is not application/json')
  try {
    return parseBody(request.body)
  } catch (error) {
    throw new RequestRefused('JSON_PARSER_ERROR', String(error))
  }
}

function refusedRecord({ statusCode, message, fields }: RecordError): SandboxAnswer {
  const status = statusCode === 'ENTITY_IS_DELETED' ? 404 : statusCode.startsWith('INSUFFICIENT_ACCESS') ? 403 : 400
  return json(status, [{ errorCode: statusCode, message, fields }])
}

function notFound(): RequestRefused {
  return new RequestRefused('NOT_FOUND', 'The requested resource does not exist')
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new RequestRefused('NOT_FOUND', 'The requested resource does not exist')
  }
}

import { randomUUID } from 'node:crypto'
import {
  type Asked,
  type Sandbox,
  type SandboxAnswer,
  type SandboxOptions,
  type SandboxRequest,
  serveWhenRun,
  startSandbox,
} from '../http/sandbox-server.ts'
import {
  createTokenDesk,
  odataError,
  rawNumber,
  readBody,
  readFilter,
  readSegment,
  type Stored,
  type StoredRow,
  textOf,
} from '../odata/sandbox-rules.ts'
import {
  edmxOf,
  faultOf,
  isTold,
  rowsWith,
  type SandboxProperty,
  type SandboxSet,
  SET_ROWS_MAX,
  type SetRow,
  type StoredSet,
  shownOf,
} from '../odata/sandbox-sets.ts'

const ID: SandboxProperty = { type: 'Edm.Guid', readOnly: true }

const DEFAULT_SETS: readonly SandboxSet[] = [
  {
    name: 'customers',
    typeName: 'customer',
    key: ['id'],
    properties: {
      id: ID,
      number: { type: 'Edm.String', maxLength: 20 },
      displayName: { type: 'Edm.String', maxLength: 100 },
      email: { type: 'Edm.String', maxLength: 80 },
      phoneNumber: { type: 'Edm.String', maxLength: 30 },
      addressLine1: { type: 'Edm.String', maxLength: 100 },
      city: { type: 'Edm.String', maxLength: 30 },
      creditLimit: { type: 'Edm.Decimal' },
      lastModifiedDateTime: { type: 'Edm.DateTimeOffset', readOnly: true },
    },
  },
  {
    name: 'salesOrders',
    typeName: 'salesOrder',
    key: ['id'],
    properties: {
      id: ID,
      number: { type: 'Edm.String', maxLength: 20 },
      externalDocumentNumber: { type: 'Edm.String', maxLength: 35 },
      customerNumber: { type: 'Edm.String', maxLength: 20, refersTo: { set: 'customers', property: 'number' } },
      orderDate: { type: 'Edm.Date' },
    },
  },
]

export const SANDBOX_COMPANY = '7e7a2c57-0000-4000-8000-000000000001'
const ROOT = '/v2.0/sandbox/Production/api/v2.0/'
const PAGE_ROWS = 20_000

export interface BusinessCentralSandboxOptions extends SandboxOptions {
  readonly sets?: readonly SandboxSet[]
}

/** A double of the Business Central API v2.0 with one company: sets, ids, concurrency tokens. In memory. Its address ends in `/api/v2.0`. */
export async function startBusinessCentralSandbox(options: BusinessCentralSandboxOptions = {}): Promise<Sandbox> {
  const sets = new Map<string, StoredSet>(
    (options.sets ?? DEFAULT_SETS).map((set) => [set.name, { set, rows: new Map() }]),
  )
  let origin = ''
  let version = 1
  let numbered = 0
  const desk = createTokenDesk(['https://api.businesscentral.dynamics.com/.default'])

  const carryOut = (request: SandboxRequest, asked: Asked): SandboxAnswer => {
    if (!request.path.startsWith(ROOT)) return odataError(404, 'BadRequest_NotFound', 'No HTTP resource was found.')
    const path = request.path.slice(ROOT.length)
    if (path === '$metadata')
      return {
        status: 200,
        headers: { 'content-type': 'application/xml' },
        body: edmxOf(
          [...sets.values()].map(({ set }) => set),
          'Microsoft.NAV',
        ),
      }
    const [company = '', rest = '', more] = path.split('/')
    if (company !== `companies(${SANDBOX_COMPANY})`)
      return odataError(404, 'Internal_CompanyNotFound', 'The company cannot be found.')
    const segment = readSegment(rest)
    const stored = segment === null || more !== undefined ? undefined : sets.get(segment.set)
    if (stored === undefined)
      return odataError(404, 'BadRequest_NotFound', `Resource not found for the segment '${segment?.set}'.`)
    if (segment!.predicate === '') return collection(stored, request, asked)
    const id = /^\(([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})\)$/i.exec(segment!.predicate)?.[1]
    if (id === undefined) return odataError(400, 'BadRequest_NotFound', 'Bad Request - Error in query syntax.')
    const row = stored.rows.get(id.toLowerCase())
    if (row === undefined)
      return odataError(
        404,
        'Internal_RecordNotFound',
        'The record does not exist. Identification fields and values: …',
      )
    return one(stored, row, request, asked)
  }

  const collection = (stored: StoredSet, request: SandboxRequest, asked: Asked): SandboxAnswer => {
    if (request.method === 'POST') return create(stored, request, asked)
    if (request.method !== 'GET') return odataError(405, 'BadRequest_MethodNotAllowed', 'Method not allowed.')
    const filter = readFilter(request.query.get('$filter') ?? '')
    if (filter === null || [...filter.keys()].some((name) => stored.set.properties[name] === undefined))
      return odataError(400, 'BadRequest_InvalidRequestUrl', "the sandbox reads filters such as a eq 'x' and b eq 1")
    const rows = rowsWith(stored, filter, true)
    const size = Number(/odata\.maxpagesize=(\d+)/.exec(String(request.headers.prefer))?.[1] ?? PAGE_ROWS)
    const from = Number(request.query.get('$skiptoken') ?? 0)
    const value = rows.slice(from, from + size).map((row) => shownOf(stored, row, etagOf(row), request.query))
    if (value.includes(null))
      return odataError(400, 'BadRequest_InvalidRequestUrl', 'Could not find a property named in $select.')
    const next = new URLSearchParams(request.query)
    next.set('$skiptoken', String(from + size))
    return {
      status: 200,
      body: { value, ...(from + size < rows.length ? { '@odata.nextLink': `${origin}${request.path}?${next}` } : {}) },
    }
  }

  const create = (stored: StoredSet, request: SandboxRequest, asked: Asked): SandboxAnswer => {
    const body = readBody(request.body)
    if (body === null) return odataError(400, 'BadRequest', 'The request body is not valid JSON.')
    const refused = judged(stored, body, asked)
    if (refused) return refused
    // A number series gives what the caller leaves out; numbers are codes, in capitals.
    const number = textOf(body.number).toUpperCase() || `AUTO${++numbered}`
    if (rowsWith(stored, new Map([['number', { quoted: true, text: number }]]), true).length > 0)
      return odataError(
        400,
        'Internal_EntityWithSameKeyExists',
        `The ${stored.set.typeName} already exists. Identification fields and values: No.='${number}'`,
      )
    if (stored.rows.size >= SET_ROWS_MAX)
      return odataError(
        400,
        'Application_DialogException',
        `the sandbox holds at most ${SET_ROWS_MAX} objects of a set`,
      )
    const row: SetRow = { id: randomUUID(), version: ++version, values: withoutNulls(stored, { ...body, number }) }
    row.values.id = row.id
    stored.rows.set(row.id, row)
    return { status: 201, body: shownOf(stored, row, etagOf(row), new URLSearchParams()) }
  }

  const one = (stored: StoredSet, row: SetRow, request: SandboxRequest, asked: Asked): SandboxAnswer => {
    if (request.method === 'GET') {
      const body = shownOf(stored, row, etagOf(row), request.query)
      return body === null
        ? odataError(400, 'BadRequest_InvalidRequestUrl', 'Could not find a property named in $select.')
        : { status: 200, body }
    }
    const match = request.headers['if-match']
    // "Update customer": If-Match is required; a DELETE checks it where it is given.
    if (match === undefined && request.method === 'PATCH')
      return odataError(
        400,
        'BadRequest_InvalidToken',
        'Could not validate the client concurrency token required by the service. Please provide a valid token in the client request.',
      )
    if (match !== undefined && match !== '*' && match !== etagOf(row))
      return odataError(409, 'Request_EntityChanged', 'Another user has already changed the record.')
    if (request.method === 'DELETE') {
      stored.rows.delete(row.id)
      return { status: 204 }
    }
    if (request.method !== 'PATCH') return odataError(405, 'BadRequest_MethodNotAllowed', 'Method not allowed.')
    const body = readBody(request.body)
    if (body === null) return odataError(400, 'BadRequest', 'The request body is not valid JSON.')
    const refused = judged(stored, body, asked, row)
    if (refused) return refused
    Object.assign(row.values, withoutNulls(stored, body))
    row.version = ++version
    return { status: 200, body: shownOf(stored, row, etagOf(row), new URLSearchParams()) }
  }

  const judged = (stored: StoredSet, body: StoredRow, asked: Asked, row?: SetRow): SandboxAnswer | null => {
    const fault = faultOf(stored, body, sets)
    const { property = '', kind } = fault ?? {}
    switch (kind) {
      case 'undeclared':
        return odataError(
          400,
          'BadRequest',
          `The property '${property}' does not exist on type 'Microsoft.NAV.${stored.set.typeName}'. Make sure to only use property names that are defined by the type.`,
        )
      case 'mistyped':
        return odataError(
          400,
          'BadRequest',
          `Cannot convert the literal '${textOf(body[property])}' to the expected type.`,
        )
      case 'read-only':
        return odataError(400, 'BadRequest_InvalidOperation', `Control '${property}' is read-only.`)
      case 'too-long':
        return odataError(
          400,
          'Application_StringExceededLength',
          `The length of the string is ${textOf(body[property]).length}, but it must be less. Value: ${textOf(body[property])}`,
        )
      case 'reference-missing':
        return odataError(
          400,
          'Internal_InvalidTableRelation',
          `The field ${property} contains a value (${textOf(body[property])}) that cannot be found in the related table.`,
        )
    }
    return isTold({ ...row?.values, ...body }, asked.rejects)
      ? odataError(400, 'Application_DialogException', 'An extension refused the record.')
      : null
  }

  const sandbox = await startSandbox(
    {
      isToken: desk.isToken,
      expireTokens: desk.expire,
      objects: (target) => [...(sets.get(target)?.rows.values() ?? [])].map(({ values }) => values),
      throttled: (seconds) => ({
        ...odataError(429, 'Application_TooManyRequests', 'The request is denied because of too many requests.'),
        headers: { 'retry-after': String(seconds) },
      }),
      failed: (status) => odataError(status, 'Internal_ServerError', 'An unexpected error occurred.'),
      async handle(request, asked) {
        if (desk.isToken(request)) return desk.give(request)
        return desk.refuse(request) ?? carryOut(request, asked)
      },
    },
    options,
  )
  origin = sandbox.url
  return {
    ...sandbox,
    url: `${origin}${ROOT.slice(0, -1)}`,
    get requests() {
      return sandbox.requests
    },
  }
}

/** There are no nulls: a text is empty, a number 0, a date 0001-01-01. */
function withoutNulls({ set }: StoredSet, values: StoredRow): StoredRow {
  const blank = (name: string): Stored => {
    const type = set.properties[name]?.type
    if (type === 'Edm.Date') return '0001-01-01'
    return type === 'Edm.Decimal' || type === 'Edm.Int32' || type === 'Edm.Int64' ? rawNumber('0') : ''
  }
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value ?? blank(name)]))
}

function etagOf({ version }: SetRow): string {
  return `W/"${Buffer.from(`19;${version};`).toString('base64')}"`
}

serveWhenRun(import.meta.url, startBusinessCentralSandbox)

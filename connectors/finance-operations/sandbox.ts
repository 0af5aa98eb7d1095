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
  isLiteralOf,
  odataError,
  rawNumber,
  readBody,
  readFilter,
  readPredicate,
  readSegment,
  type Stored,
  type StoredRow,
  textOf,
} from '../odata/sandbox-rules.ts'
import {
  edmxOf,
  type Fault,
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

const AREA: SandboxProperty = { type: 'Edm.String', maxLength: 4 }

const DEFAULT_SETS: readonly SandboxSet[] = [
  {
    name: 'CustomerGroups',
    typeName: 'CustomerGroup',
    key: ['dataAreaId', 'CustomerGroupId'],
    properties: {
      dataAreaId: AREA,
      CustomerGroupId: { type: 'Edm.String', maxLength: 10 },
      Description: { type: 'Edm.String', maxLength: 60 },
    },
  },
  {
    name: 'CustomersV3',
    typeName: 'CustomerV3',
    key: ['dataAreaId', 'CustomerAccount'],
    properties: {
      dataAreaId: AREA,
      CustomerAccount: { type: 'Edm.String', maxLength: 20 },
      CustomerGroupId: {
        type: 'Edm.String',
        maxLength: 10,
        refersTo: { set: 'CustomerGroups', property: 'CustomerGroupId' },
      },
      OrganizationName: { type: 'Edm.String', maxLength: 100 },
      SalesCurrencyCode: { type: 'Edm.String', maxLength: 3 },
      CreditLimit: { type: 'Edm.Decimal' },
      PartyNumber: { type: 'Edm.String', readOnly: true },
      IdentificationNumber: { type: 'Edm.Int64' },
      CreatedOn: { type: 'Edm.DateTimeOffset' },
    },
  },
]

/** The legal entities, the first the application user's own. */
const COMPANIES = ['dat', 'usmf', 'demf']
const PAGE_ROWS = 10_000

export interface FinanceOperationsSandboxOptions extends SandboxOptions {
  readonly sets?: readonly SandboxSet[]
}

/** A double of the OData service of Finance & Operations: public data entities, legal entities, ETags. In memory. */
export async function startFinanceOperationsSandbox(options: FinanceOperationsSandboxOptions = {}): Promise<Sandbox> {
  const sets = new Map<string, StoredSet>(
    (options.sets ?? DEFAULT_SETS).map((set) => [set.name, { set, rows: new Map() }]),
  )
  let url = ''
  let version = 1
  const desk = createTokenDesk(() => [`${url}/.default`])

  const carryOut = (request: SandboxRequest, asked: Asked): SandboxAnswer => {
    if (!request.path.startsWith('/data/')) return { status: 404, body: { Message: 'No HTTP resource was found.' } }
    const path = request.path.slice('/data/'.length)
    if (path === '$metadata')
      return {
        status: 200,
        headers: { 'content-type': 'application/xml' },
        body: edmxOf(
          [...sets.values()].map(({ set }) => set),
          'Microsoft.Dynamics.DataEntities',
        ),
      }
    const segment = readSegment(path)
    const stored = segment === null ? undefined : sets.get(segment.set)
    if (stored === undefined) return failure(404, `Resource not found for the segment '${segment?.set}'.`)
    // "Open Data Protocol (OData)", cross-company behavior: without it, only the default company of the user is there.
    const isCross = request.query.get('cross-company') === 'true'
    const isSeen = (row: SetRow) => isCross || textOf(row.values.dataAreaId) === COMPANIES[0]
    if (segment!.predicate === '') return collection(stored, request, asked, isSeen)
    const predicate = readPredicate(segment!.predicate)
    const isKey =
      predicate !== null &&
      predicate.size === stored.set.key.length &&
      stored.set.key.every((name) => {
        const literal = predicate.get(name)
        return literal !== undefined && isLiteralOf(stored.set.properties[name]!.type, literal)
      })
    if (!isKey) return failure(400, 'The key in the request URI is not valid for the resource.')
    const row = rowsWith(stored, predicate, true).find(isSeen)
    if (row === undefined) return { status: 404 }
    return one(stored, row, request, asked)
  }

  const collection = (
    stored: StoredSet,
    request: SandboxRequest,
    asked: Asked,
    isSeen: (row: SetRow) => boolean,
  ): SandboxAnswer => {
    if (request.method === 'POST') return create(stored, request, asked)
    if (request.method !== 'GET') return failure(405, 'The requested resource does not support this method.')
    const filter = readFilter(request.query.get('$filter') ?? '')
    if (filter === null) return failure(400, "the sandbox reads filters such as a eq 'x' and b eq 1")
    const rows = rowsWith(stored, filter, true).filter(isSeen)
    const size = Number(/odata\.maxpagesize=(\d+)/.exec(String(request.headers.prefer))?.[1] ?? PAGE_ROWS)
    const from = Number(request.query.get('$skiptoken') ?? 0)
    const top = Number(request.query.get('$top') ?? rows.length)
    const value = rows
      .slice(from, Math.min(from + size, top))
      .map((row) => shownOf(stored, row, etagOf(row), request.query))
    if (value.includes(null)) return failure(400, 'Could not find a property named in $select.')
    const next = new URLSearchParams(request.query)
    next.set('$skiptoken', String(from + size))
    return {
      status: 200,
      body: {
        value,
        ...(from + size < Math.min(rows.length, top) ? { '@odata.nextLink': `${url}${request.path}?${next}` } : {}),
      },
    }
  }

  const create = (stored: StoredSet, request: SandboxRequest, asked: Asked): SandboxAnswer => {
    const body = readBody(request.body)
    if (body === null) return failure(400, 'The request body is not valid JSON.')
    const values: StoredRow = { dataAreaId: COMPANIES[0]!, ...body }
    const refused = judged(stored, values, asked)
    if (refused) return refused
    if (!COMPANIES.includes(textOf(values.dataAreaId))) return failure(400, 'The company does not exist.')
    const key = new Map(stored.set.key.map((name) => [name, { quoted: true, text: textOf(values[name]) }]))
    if ([...key.values()].some(({ text }) => text === '')) return failure(400, 'Field must be filled in.')
    if (rowsWith(stored, key, true).length > 0)
      return failure(400, 'Cannot create a record. The record already exists.')
    if (stored.rows.size >= SET_ROWS_MAX)
      return failure(400, `the sandbox holds at most ${SET_ROWS_MAX} objects of a set`)
    const row: SetRow = { id: randomUUID(), version: ++version, values: filled(stored, values) }
    stored.rows.set(row.id, row)
    return { status: 201, body: shownOf(stored, row, etagOf(row), new URLSearchParams()) }
  }

  const one = (stored: StoredSet, row: SetRow, request: SandboxRequest, asked: Asked): SandboxAnswer => {
    if (request.method === 'GET') {
      const body = shownOf(stored, row, etagOf(row), request.query)
      return body === null ? failure(400, 'Could not find a property named in $select.') : { status: 200, body }
    }
    const match = request.headers['if-match']
    if (match !== undefined && match !== '*' && match !== etagOf(row))
      return failure(412, 'The object was changed since it was read.')
    if (request.method === 'DELETE') {
      stored.rows.delete(row.id)
      return { status: 204 }
    }
    if (request.method !== 'PATCH') return failure(405, 'The requested resource does not support this method.')
    const body = readBody(request.body)
    if (body === null) return failure(400, 'The request body is not valid JSON.')
    const named = stored.set.key.find((name) => Object.hasOwn(body, name))
    if (named !== undefined) return failure(400, `Field ${named} is a key and cannot be edited.`)
    const refused = judged(stored, body, asked, row)
    if (refused) return refused
    Object.assign(row.values, filled(stored, body, false))
    row.version = ++version
    return { status: 204 }
  }

  const judged = (stored: StoredSet, values: StoredRow, asked: Asked, row?: SetRow): SandboxAnswer | null => {
    const unset = Object.keys(values).find((name) => values[name] === null && isNeverNull(stored.set.properties[name]))
    if (unset !== undefined)
      return failure(400, `A null value was found for the property named '${unset}', which is not nullable.`)
    const fault = faultOf(stored, values, sets)
    if (fault) return failure(400, wordsOf(stored, fault, textOf(values[fault.property])))
    if (isTold({ ...row?.values, ...values }, asked.rejects))
      return failure(400, 'Write failed. Infolog: Warning: validation failed.')
    return null
  }

  const sandbox = await startSandbox(
    {
      isToken: desk.isToken,
      expireTokens: desk.expire,
      objects: (target) => [...(sets.get(target)?.rows.values() ?? [])].map(({ values }) => values),
      throttled: (seconds) => ({
        status: 429,
        headers: { 'retry-after': String(seconds) },
        body: { error: { code: '', message: 'Request was throttled by priority-based throttling.' } },
      }),
      failed: (status) => failure(status, 'An unexpected error occurred.'),
      async handle(request, asked) {
        if (desk.isToken(request)) return desk.give(request)
        return desk.refuse(request) ?? carryOut(request, asked)
      },
    },
    options,
  )
  url = sandbox.url
  return sandbox
}

/** Texts may be sent as null and are empty then; numbers and dates are `Nullable="false"` in the metadata. */
function isNeverNull(property: SandboxProperty | undefined): boolean {
  return property !== undefined && property.type !== 'Edm.String'
}

/** There are no nulls: a text is empty, a number 0, a date 1900-01-01. */
function filled({ set }: StoredSet, values: StoredRow, all = true): StoredRow {
  const names = all ? Object.keys(set.properties) : Object.keys(values)
  return Object.fromEntries(names.map((name) => [name, values[name] ?? nothingOf(set.properties[name]!)]))
}

function nothingOf({ type }: SandboxProperty): Stored {
  if (type === 'Edm.DateTimeOffset') return '1900-01-01T12:00:00Z'
  return type === 'Edm.String' || type === 'Edm.Guid' || type === 'Edm.Binary' ? '' : rawNumber('0')
}

function wordsOf({ set }: StoredSet, fault: Fault, value: string): string {
  switch (fault.kind) {
    case 'undeclared':
      return `The property '${fault.property}' does not exist on type 'Microsoft.Dynamics.DataEntities.${set.typeName}'.`
    case 'mistyped':
      return `Cannot convert the literal '${value}' to the expected type.`
    case 'read-only':
      return `Field ${fault.property} does not allow editing.`
    case 'too-long':
      return `Write failed for table row of type '${set.typeName}Entity'. Infolog: Warning: The value of field ${fault.property} is too long.`
    case 'reference-missing':
      return `Write failed for table row of type '${set.typeName}Entity'. Infolog: Warning: The value '${value}' in field '${fault.property}' is not found in the related table '${fault.set}'.`
  }
}

function etagOf({ version }: SetRow): string {
  return `W/"${Buffer.from(`1,${version}`).toString('base64')}"`
}

function failure(status: number, words: string): SandboxAnswer {
  const answer = odataError(status, '', 'An error has occurred.')
  const error = {
    code: '',
    message: 'An error has occurred.',
    innererror: { message: words, type: '', stacktrace: '' },
  }
  return { ...answer, body: { error } }
}

serveWhenRun(import.meta.url, startFinanceOperationsSandbox)

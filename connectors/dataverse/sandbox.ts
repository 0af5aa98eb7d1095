import {
  type Asked,
  type Sandbox,
  type SandboxAnswer,
  type SandboxOptions,
  type SandboxRequest,
  type SandboxSystem,
  serveWhenRun,
  startSandbox,
} from '../http/sandbox-server.ts'
import {
  createTokenDesk,
  odataError,
  readBody,
  readFilter,
  readPredicate,
  readSegment,
  type Stored,
  type StoredRow,
  textOf,
} from '../odata/sandbox-rules.ts'
import { definitionOf } from './sandbox/metadata.ts'
import {
  addressed,
  changeRow,
  columnValues,
  dropRow,
  etagOf,
  makeRow,
  Refuse,
  type Row,
  type StoredTable,
} from './sandbox/rows.ts'
import { DEFAULT_TABLES, type SandboxTable } from './sandbox/tables.ts'

export interface DataverseSandboxOptions extends SandboxOptions {
  readonly tables?: readonly SandboxTable[]
  /** "Service protection API limits" of one web server. */
  readonly limits?: { readonly requests?: number; readonly concurrent?: number }
}

const ROOT = '/api/data/'
const WINDOW_MS = 300_000
const PAGE_ROWS = 5000

/** A double of the Dataverse Web API, v9.2: tables, alternate keys, ETags, lookups, service protection. In memory. */
export async function startDataverseSandbox(options: DataverseSandboxOptions = {}): Promise<Sandbox> {
  const tables = new Map<string, StoredTable>(
    (options.tables ?? DEFAULT_TABLES).map((table) => [table.entitySet, { table, rows: new Map(), held: new Map() }]),
  )
  let url = ''
  const desk = createTokenDesk(() => [`${url}/.default`])
  const requestsMax = options.limits?.requests ?? 6000
  const concurrentMax = options.limits?.concurrent ?? 52
  let version = 470_867
  let seen: number[] = []
  let underWay = 0

  const protection = (): SandboxAnswer | null => {
    const now = Date.now()
    if (seen[0] !== undefined && seen[0] < now - WINDOW_MS) seen = seen.filter((at) => at >= now - WINDOW_MS)
    if (underWay > concurrentMax)
      return throttled('0x80072326', `Number of concurrent requests exceeded the limit of ${concurrentMax}.`, 1)
    if (seen.length >= requestsMax) {
      const seconds = Math.max(1, Math.ceil((seen[0]! + WINDOW_MS - now) / 1000))
      return throttled(
        '0x80072322',
        `Number of requests exceeded the limit of ${requestsMax} over time window of 300 seconds.`,
        seconds,
      )
    }
    seen.push(now)
    return null
  }
  const limitHeaders = () => ({
    'x-ms-ratelimit-burst-remaining-xrm-requests': String(Math.max(0, requestsMax - seen.length)),
    'x-ms-ratelimit-time-remaining-xrm-requests': '1,200.00',
  })

  const carryOut = (request: SandboxRequest, asked: Asked): SandboxAnswer => {
    const path = request.path.replace(/^\/api\/data\/v9\.\d\//, '')
    if (path === request.path) return odataError(404, '', `No HTTP resource was found that matches the request URI.`)
    if (path === 'WhoAmI') return { status: 200, body: { UserId: '00000000-0000-0000-0000-000000000001' } }
    const segment = readSegment(path)
    if (segment?.set === 'EntityDefinitions') return definitions(request)
    const stored = segment === null ? undefined : tables.get(segment.set)
    if (stored === undefined)
      return odataError(404, '0x8006088a', `Resource not found for the segment '${segment?.set ?? path}'.`)
    if (segment!.predicate === '') return collection(stored, request, asked)
    const predicate = readPredicate(segment!.predicate)
    if (predicate === null) return odataError(400, '0x80060888', 'Bad Request - Error in query syntax.')
    return one(stored, addressed(stored, predicate), request, asked)
  }

  const definitions = ({ query }: SandboxRequest): SandboxAnswer => {
    const filter = readFilter(query.get('$filter') ?? '')
    if (filter === null) return odataError(400, '0x0', "the sandbox reads filters such as EntitySetName eq 'accounts'")
    const wanted = [...tables.values()].filter(({ table }) =>
      [...filter].every(
        ([name, { text }]) => (name === 'EntitySetName' ? table.entitySet : table.logicalName) === text,
      ),
    )
    return { status: 200, body: { value: wanted.map(({ table }) => definitionOf(table, tables)) } }
  }

  const collection = (stored: StoredTable, request: SandboxRequest, asked: Asked): SandboxAnswer => {
    if (request.method === 'POST') {
      const body = bodyOf(request)
      refuseTold(asked, body)
      const { [stored.table.primaryId]: id, ...rest } = body
      const values = columnValues(tables, stored, rest, {})
      return written(stored, makeRow(stored, typeof id === 'string' ? id : null, values, ++version), request, 201)
    }
    if (request.method !== 'GET') return odataError(405, '0x80060888', 'the method is not allowed on a set')
    const filter = readFilter(request.query.get('$filter') ?? '')
    if (filter === null) return odataError(400, '0x80060888', "the sandbox reads filters such as a eq 'x' and b eq 1")
    for (const name of filter.keys()) known(stored, name)
    const rows = [...stored.rows.values()].filter((row) =>
      [...filter].every(
        ([name, { text }]) => textOf(row.values[name]).toLowerCase().trimEnd() === text.toLowerCase().trimEnd(),
      ),
    )
    const size = Number(/odata\.maxpagesize=(\d+)/.exec(String(request.headers.prefer))?.[1] ?? PAGE_ROWS)
    const from = Number(request.query.get('$skiptoken') ?? 0)
    const top = Number(request.query.get('$top') ?? Number.POSITIVE_INFINITY)
    const page = rows.slice(from, Math.min(from + size, top))
    const next = new URLSearchParams(request.query)
    next.set('$skiptoken', String(from + size))
    return {
      status: 200,
      body: {
        '@odata.context': `${url}${ROOT}v9.2/$metadata#${stored.table.entitySet}`,
        value: page.map((row) => shown(stored, row, request.query)),
        ...(from + size < Math.min(rows.length, top) ? { '@odata.nextLink': `${url}${request.path}?${next}` } : {}),
      },
    }
  }

  const one = (
    stored: StoredTable,
    { row, id, keys }: ReturnType<typeof addressed>,
    request: SandboxRequest,
    asked: Asked,
  ): SandboxAnswer => {
    const { table } = stored
    const missing = () =>
      id === null
        ? odataError(
            404,
            '0x80060891',
            `A record with the specified key values does not exist in ${table.logicalName} entity`,
          )
        : odataError(404, '0x80040217', `${table.logicalName} With Id = ${id} Does Not Exist`)
    if (request.method === 'GET') {
      if (row === null) return missing()
      if (request.headers['if-none-match'] === etagOf(row)) return { status: 304 }
      return { status: 200, headers: { etag: etagOf(row) }, body: shown(stored, row, request.query) }
    }
    const match = request.headers['if-match']
    const noneMatch = request.headers['if-none-match']
    if (match !== undefined && row === null) return missing()
    if (match !== undefined && match !== '*') {
      if (!table.optimisticConcurrency)
        return odataError(
          400,
          '0x8006088d',
          `Optimistic concurrency isn't enabled for entity type ${table.logicalName}.`,
        )
      if (match !== etagOf(row!))
        return odataError(
          412,
          '0x80060882',
          "The version of the existing record doesn't match the RowVersion property provided.",
        )
    }
    if (noneMatch === '*' && row !== null)
      return odataError(412, '0x80060892', 'A record with matching key values already exists.')
    if (request.method === 'DELETE') {
      if (row === null) return missing()
      dropRow(stored, row)
      return { status: 204 }
    }
    if (request.method !== 'PATCH') return odataError(405, '0x80060888', 'the method is not allowed on a row')
    const body = bodyOf(request)
    refuseTold(asked, { ...row?.values, ...keys, ...body })
    const values = columnValues(tables, stored, body, keys)
    if (row === null) return written(stored, makeRow(stored, id, { ...values, ...keys }, ++version), request, 201)
    changeRow(stored, row, values, ++version)
    return written(stored, row, request, 200)
  }

  const written = (stored: StoredTable, row: Row, request: SandboxRequest, status: 200 | 201): SandboxAnswer => {
    const entityId = `${url}${ROOT}v9.2/${stored.table.entitySet}(${row.id})`
    const headers = { 'odata-version': '4.0', 'odata-entityid': entityId }
    if (!/return=representation/.test(String(request.headers.prefer))) return { status: 204, headers }
    return {
      status,
      headers: { ...headers, etag: etagOf(row), 'preference-applied': 'return=representation' },
      body: shown(stored, row, request.query),
    }
  }

  const known = ({ table }: StoredTable, name: string) => {
    if (table.columns[name] === undefined)
      throw new Refuse(
        400,
        '0x0',
        `Could not find a property named '${name}' on type 'Microsoft.Dynamics.CRM.${table.logicalName}'.`,
      )
  }

  const shown = (stored: StoredTable, row: Row, query: URLSearchParams): StoredRow => {
    const { table } = stored
    const select = query.get('$select')?.split(',') ?? Object.keys(table.columns)
    const answer: StoredRow = { '@odata.etag': etagOf(row), [table.primaryId]: row.id }
    for (const name of select) {
      const plain = /^_(\w+)_value$/.exec(name)?.[1] ?? name
      known(stored, plain)
      answer[table.columns[plain]!.type === 'Lookup' ? `_${plain}_value` : name] = row.values[plain] ?? null
    }
    for (const [, navigation = '', columns = ''] of (query.get('$expand') ?? '').matchAll(
      /(\w+)\(\$select=([\w,]+)\)/g,
    )) {
      const lookup = table.lookups[navigation]
      if (lookup === undefined) known(stored, navigation)
      const other = tables.get(lookup!.entitySet)!
      const found = other.rows.get(textOf(row.values[lookup!.column]))
      answer[navigation] = found ? shown(other, found, new URLSearchParams({ $select: columns })) : null
    }
    return answer
  }

  const system: SandboxSystem = {
    isToken: desk.isToken,
    expireTokens: desk.expire,
    objects: (target) =>
      [...(tables.get(target)?.rows.values() ?? [])].map((row) => ({ '@odata.etag': etagOf(row), ...row.values })),
    throttled: (seconds) =>
      throttled(
        '0x80072322',
        'Number of requests exceeded the limit of 6000 over time window of 300 seconds.',
        seconds,
      ),
    failed: (status) => odataError(status, '0x80040216', 'An unexpected error occurred.'),
    async handle(request, asked) {
      if (desk.isToken(request)) return desk.give(request)
      const stranger = desk.refuse(request)
      if (stranger) return stranger
      underWay++
      try {
        const tooMany = protection()
        if (tooMany) return tooMany
        // A turn of the loop, so that requests that came together are under way together.
        await new Promise((resolve) => setImmediate(resolve))
        const answer = carryOut(request, asked)
        return { ...answer, headers: { 'odata-version': '4.0', ...answer.headers, ...limitHeaders() } }
      } catch (error) {
        if (error instanceof Refuse) return { ...error.answer, headers: { ...error.answer.headers, ...limitHeaders() } }
        throw error
      } finally {
        underWay--
      }
    },
  }
  const sandbox = await startSandbox(system, options)
  url = sandbox.url
  return sandbox
}

function bodyOf({ body }: SandboxRequest): StoredRow {
  const row = readBody(body)
  if (row === null)
    throw new Refuse(400, '0x80048d19', 'Error identified in Payload provided by the user: it is no JSON object.')
  return row
}

/** A plug-in of somebody's that refuses a record. */
function refuseTold(asked: Asked, values: StoredRow): void {
  if (Object.values(values).some((value: Stored | undefined) => typeof value === 'string' && asked.rejects(value)))
    throw new Refuse(400, '0x80040265', 'ISV code aborted the operation.')
}

function throttled(code: string, message: string, seconds: number): SandboxAnswer {
  const answer = odataError(429, code, message)
  return { ...answer, headers: { ...answer.headers, 'retry-after': String(seconds) } }
}

serveWhenRun(import.meta.url, startDataverseSandbox)

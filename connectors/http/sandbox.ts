import { createHmac, timingSafeEqual } from 'node:crypto'
import {
  type Sandbox,
  type SandboxAnswer,
  type SandboxOptions,
  type SandboxRequest,
  serveWhenRun,
  startSandbox,
} from './sandbox-server.ts'

/** A REST API as its RFCs describe it, with the differences that such APIs have. */
export interface HttpSandboxOptions extends SandboxOptions {
  /** Refuses with 401 what is not signed with one of these (`whsec_…`), as Standard Webhooks says. */
  readonly secrets?: readonly string[]
  /** Refuses with 401 what has not this `authorization`. */
  readonly authorization?: string
  /** Answers ETags: strong or weak ones. */
  readonly etags?: 'strong' | 'weak'
  /** Changes nothing without `If-Match` (RFC 6585, 428). */
  readonly requiresTags?: boolean
  /** Objects are made by POST to the collection, with their key in `id`, and PUT makes none. */
  readonly createsByPost?: boolean
  /** Refuses what is older than it holds by `tributary-version`, and remembers what was deleted. */
  readonly comparesVersions?: boolean
  /** Answers a second request with the same idempotency key as the first, and does nothing. */
  readonly dedupes?: boolean
}

type Json = Readonly<Record<string, unknown>>

const OBJECTS_MAX = 200_000
const ANSWERS_MAX = 200_000
const TOLERANCE_SECONDS = 300

/** Numbers keep the text that they came with: JSON has no limit, doubles have. */
const exact = (_key: string, value: unknown, context?: { source?: string }) =>
  typeof value === 'number' && context?.source !== undefined ? rawJson(context.source) : value
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON
const isRaw = (JSON as unknown as { isRawJSON(value: unknown): boolean }).isRawJSON

export function startHttpSandbox(options: HttpSandboxOptions = {}): Promise<Sandbox> {
  const objects = new Map<string, { readonly value: unknown; readonly revision: number }>()
  /** Path → the newest version that was applied there, deleted or not. */
  const versions = new Map<string, readonly bigint[]>()
  const answers = new Map<string, SandboxAnswer>()
  let revisions = 0

  const etag = (path: string): Record<string, string> => {
    const held = objects.get(path)
    if (held === undefined || options.etags === undefined) return {}
    return { etag: `${options.etags === 'weak' ? 'W/' : ''}"r${held.revision}"` }
  }
  /** What is held there, as JSON; a string alone is JSON too. */
  const shown = (status: number, path: string, more: Record<string, string> = {}): SandboxAnswer => ({
    status,
    headers: { 'content-type': 'application/json', ...etag(path), ...more },
    body: JSON.stringify(objects.get(path)!.value),
  })
  const put = (path: string, value: unknown) => objects.set(path, { value, revision: ++revisions })

  /** RFC 9110, 13.1: conditions come before the method; `If-Match` fails where there is nothing, and never matches a weak ETag. */
  const conditionFails = ({ path, headers }: SandboxRequest): boolean => {
    const held = objects.has(path)
    const match = headers['if-match']
    if (match !== undefined && (match === '*' ? !held : match.startsWith('W/') || etag(path).etag !== match))
      return true
    return headers['if-none-match'] === '*' && held
  }

  const write = (request: SandboxRequest, value: unknown): SandboxAnswer => {
    const { method, path } = request
    const isNew = !objects.has(path)
    if (method === 'PATCH') {
      if (request.headers['content-type'] !== 'application/merge-patch+json')
        return problem(415, 'a merge patch is taken')
      if (isNew) return problem(404, 'no such object')
      put(path, merge(objects.get(path)!.value, value))
      return shown(200, path)
    }
    if (isNew && options.createsByPost) return problem(404, 'no such object')
    if (isNew && objects.size >= OBJECTS_MAX) return problem(507, 'full')
    put(path, value)
    return shown(isNew ? 201 : 200, path)
  }

  const post = (request: SandboxRequest, value: unknown): SandboxAnswer => {
    const id = (value as Json | null)?.id
    if (!options.createsByPost || typeof id !== 'string') return problem(405, 'objects are made by PUT')
    const path = `${request.path}/${encodeURIComponent(id)}`
    if (objects.has(path)) return problem(409, 'there is one with this id')
    if (objects.size >= OBJECTS_MAX) return problem(507, 'full')
    put(path, value)
    return shown(201, path, { location: path })
  }

  const carryOut = (request: SandboxRequest): SandboxAnswer => {
    const { method, path, headers } = request
    if (method === 'GET') return objects.has(path) ? shown(200, path) : problem(404, 'no such object')
    if (!['PATCH', 'PUT', 'POST', 'DELETE'].includes(method)) return problem(405, 'unknown')
    const version = versionOf(headers['tributary-version'])
    const held = versions.get(path)
    if (options.comparesVersions && version && held && isOlder(version, held))
      return { ...problem(409, 'older than what is held'), headers: { 'tributary-outcome': 'newer' } }
    const mustMatch = options.requiresTags && objects.has(path)
    if (mustMatch && headers['if-match'] === undefined) return problem(428, 'needs If-Match')
    if (conditionFails(request)) return problem(412, 'it has changed')
    const answer = method === 'DELETE' ? remove(path) : writeBody(request)
    // A delete is remembered also where there was nothing to delete.
    if (version && (answer.status < 300 || method === 'DELETE')) versions.set(path, version)
    return answer
  }

  const remove = (path: string): SandboxAnswer =>
    objects.delete(path) ? { status: 204 } : problem(404, 'no such object')

  const writeBody = (request: SandboxRequest): SandboxAnswer => {
    let value: unknown
    try {
      value = JSON.parse(request.body.toString('utf8'), exact)
    } catch {
      return problem(400, 'not JSON')
    }
    return request.method === 'POST' ? post(request, value) : write(request, value)
  }

  return startSandbox(
    {
      handle(request, asked) {
        if (options.authorization !== undefined && request.headers.authorization !== options.authorization)
          return problem(401, 'who are you?')
        if (options.secrets && !isSigned(request, options.secrets)) return problem(401, 'the signature does not fit')
        if (asked.rejects(decodeURIComponent(request.path.slice(request.path.lastIndexOf('/') + 1))))
          return invalid(request)
        const id = request.headers['idempotency-key']
        const known = options.dedupes && typeof id === 'string' ? answers.get(id) : undefined
        if (known !== undefined) return known
        const answer = carryOut(request)
        if (typeof id === 'string' && answers.size < ANSWERS_MAX) answers.set(id, answer)
        return answer
      },
      objects: (target) => {
        const collection = `/${target.replace(/^\//, '')}/`
        return [...objects].flatMap(([path, { value }]) =>
          path.startsWith(collection)
            ? [{ key: decodeURIComponent(path.slice(collection.length)), value: plain(value) }]
            : [],
        )
      },
      failed: (status) => problem(status, 'as it was told'),
    },
    options,
  )
}

/** RFC 7396, section 2. */
function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const merged = new Map(Object.entries(isObject(target) ? target : {}))
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name)
    else merged.set(name, merge(merged.get(name), value))
  }
  return Object.fromEntries(merged)
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRaw(value)
}

/** Numbers as JavaScript has them. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

/** RFC 9457. */
function problem(status: number, title: string, more: Json = {}): SandboxAnswer {
  const body = JSON.stringify({ title, status, ...more })
  return { status, headers: { 'content-type': 'application/problem+json' }, body }
}

/** As many APIs do: it repeats what it was sent. */
function invalid(request: SandboxRequest): SandboxAnswer {
  const text = request.body.toString('utf8')
  const [field = ''] = /^\{"([^"]+)"/.exec(text)?.slice(1) ?? []
  const errors = [{ detail: `not allowed: ${text}`, pointer: `#/${field}` }]
  return problem(422, `${request.path} is not valid`, { errors })
}

function versionOf(text: unknown): readonly bigint[] | null {
  if (typeof text !== 'string' || !/^\d+\/\d+\/-?\d+$/.test(text)) return null
  return text.split('/').map(BigInt)
}

function isOlder(a: readonly bigint[], b: readonly bigint[]): boolean {
  const at = a.findIndex((part, index) => part !== b[index])
  return at >= 0 && a[at]! < b[at]!
}

/** standardwebhooks.com, "Verifying signatures". */
function isSigned({ headers, body }: SandboxRequest, secrets: readonly string[]): boolean {
  const id = headers['webhook-id']
  const seconds = Number(headers['webhook-timestamp'])
  const signatures = headers['webhook-signature']
  if (typeof id !== 'string' || typeof signatures !== 'string') return false
  if (!(Math.abs(Date.now() / 1000 - seconds) <= TOLERANCE_SECONDS)) return false
  return secrets.some((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
    const expected = createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest()
    return signatures.split(' ').some((signature) => {
      const given = Buffer.from(signature.replace(/^v1,/, ''), 'base64')
      return given.length === expected.length && timingSafeEqual(given, expected)
    })
  })
}

serveWhenRun(import.meta.url, startHttpSandbox)

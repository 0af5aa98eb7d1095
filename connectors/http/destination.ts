import { randomUUID } from 'node:crypto'
import { TributaryError } from '../../schemas/errors.ts'
import type { Value } from '../../schemas/field-type.ts'
import type { Destination, EntityMapping, Outcome, Patch, Removal, RequestPreview, Upsert } from '../destination.ts'
import { createHttpClient, type HttpAnswer, NoAnswer, unanswered } from './client.ts'
import { canonicalValue, parseText } from './json-values.ts'
import { outcomeOf, tagOf, unreachable, unsuitable } from './outcomes.ts'
import {
  changeHeaders,
  checkHeaders,
  createRequest,
  deleteRequest,
  mergeRequest,
  type ObjectRequest,
  objectText,
  readRequest,
} from './request.ts'
import { type PathTemplate, readPathTemplate } from './request-path.ts'
import { readSecrets, signatureHeaders } from './signature.ts'
import { isNoWay, verdictOf } from './statuses.ts'

export interface HttpDestinationOptions {
  /** The subscriber's name. */
  readonly name: string
  /** What every address begins with; without user, query, or `/` at its end. */
  readonly url: string
  /** `whsec_…`, what requests are signed with; several while they are rotated, none for no signature. */
  readonly secrets: readonly string[]
  /** Sent with every request, such as `authorization`. Secret. */
  readonly headers: Readonly<Record<string, string>>
  readonly allowAddresses: readonly string[]
  readonly connections: number
  readonly timeoutMs: number
  /** Default twice the time-out. */
  readonly lateRequestMs?: number
  readonly mappings: readonly EntityMapping[]
  /** How an object is made: PUT at its own path (the default), or POST to the collection, whose objects then take their key from a mapped field. */
  readonly create?: 'put' | 'post'
  /** The receiver refuses what is older than it holds by `tributary-version`, with 409 or 412 and `tributary-outcome: newer`. */
  readonly comparesVersions?: boolean
}

/**
 * Any REST API as a subscriber: one request for one object, changed by JSON merge patch (RFC 7396), removed by DELETE, signed as Standard
 * Webhooks. A full patch is a merge patch of all mapped fields, so that fields which are not mapped stay; where the object is missing it is
 * then made with `If-None-Match: *`. A strong ETag that comes with an answer is the patch's tag, and goes into `If-Match` the next time.
 *
 * @throws TributaryError `declaration-invalid`
 */
export function createHttp(options: HttpDestinationOptions): Destination {
  const { name, url, mappings, timeoutMs, comparesVersions = false } = options
  const base = readBase(url)
  const secrets = readSecrets(options.secrets)
  checkHeaders(options.headers)
  const templates = new Map(mappings.map((mapping) => [mapping.target, readPathTemplate(mapping)]))
  const client = createHttpClient(options)

  const templateOf = (mapping: EntityMapping): PathTemplate => {
    const template = templates.get(mapping.target) ?? readPathTemplate(mapping)
    templates.set(mapping.target, template)
    return template
  }

  const send = (request: ObjectRequest, own: Readonly<Record<string, string>>, id: string, signal: AbortSignal) =>
    client.send(
      {
        method: request.method,
        url: base + request.path,
        headers: {
          accept: 'application/json',
          ...options.headers,
          ...request.headers,
          ...own,
          ...signatureHeaders(secrets, id, Date.now(), request.body),
        },
        ...(request.body === '' ? {} : { body: request.body }),
      },
      signal,
    )

  const write = (mapping: EntityMapping, patch: Patch, request: ObjectRequest, signal: AbortSignal) => {
    // A patch is repeated to put right what a late request of a former owner may have done, and after an answer that was not to the end. A
    // receiver that knows its idempotency key would answer again without doing it. Where versions are compared, a repeat is a repeat.
    const own = changeHeaders(mapping.entity.name, patch, request, comparesVersions ? null : randomUUID())
    return send(request, own, own['idempotency-key'], signal)
  }

  const get = (path: string, signal: AbortSignal) => send(readRequest(path), {}, randomUUID(), signal)

  /** Writes, and once more with the ETag of now where the API changes nothing without one. */
  const writeTagged = async (
    mapping: EntityMapping,
    patch: Patch,
    request: (tag: string | null) => ObjectRequest,
    signal: AbortSignal,
  ): Promise<HttpAnswer> => {
    const answer = await write(mapping, patch, request(patch.tag), signal)
    if (verdictOf(answer) !== 'needs-tag' || patch.tag !== null) return answer
    const held = await get(request(null).path, signal)
    const tag = tagOf(held)
    if (verdictOf(held) !== 'applied') return held
    return tag === null ? answer : await write(mapping, patch, request(tag), signal)
  }

  const remove = async (
    mapping: EntityMapping,
    patch: Removal,
    path: string,
    signal: AbortSignal,
  ): Promise<Outcome> => {
    const answer = await writeTagged(mapping, patch, (tag) => deleteRequest(path, tag), signal)
    if (verdictOf(answer) === 'missing' && !isNoWay(answer)) return { kind: 'applied' }
    const outcome = outcomeOf(name, 'DELETE', answer, mapping)
    return outcome.kind === 'applied' ? { kind: 'applied' } : outcome
  }

  const upsert = async (mapping: EntityMapping, patch: Upsert, path: string, signal: AbortSignal): Promise<Outcome> => {
    const body = objectText(mapping, patch.fields, true)
    if (!body.ok) return body.outcome
    const answer = await writeTagged(mapping, patch, (tag) => mergeRequest(path, body.text, tag, patch.full), signal)
    // Without a tag it was asked for any object: there is none.
    if (verdictOf(answer) === 'conflict' && !patch.full && patch.tag === null) return { kind: 'absent' }
    if (verdictOf(answer) !== 'missing') return outcomeOf(name, 'PATCH', answer, mapping)
    if (!patch.full) return { kind: 'absent' }
    if (mapping.updateOnly)
      return {
        kind: 'blocked',
        by: '',
        code: 'object-missing',
        reason: 'objects are only changed, and this one is missing',
      }
    const whole = objectText(mapping, patch.fields, false)
    if (!whole.ok) return whole.outcome
    const method = options.create === 'post' ? 'POST' : 'PUT'
    const at = method === 'POST' ? collectionOf(path) : path
    const made = await write(mapping, patch, createRequest(method, at, whole.text), signal)
    if (verdictOf(made) === 'missing')
      return {
        kind: 'blocked',
        by: '',
        code: 'parent-missing',
        reason: `there is nothing to make it in: PATCH and ${method} are both answered ${made.status}`,
      }
    return outcomeOf(name, method, made, mapping)
  }

  const applyOne = async (mapping: EntityMapping, patch: Patch, signal: AbortSignal): Promise<Outcome> => {
    if (patch.kind === 'delete' && mapping.onDelete === 'ignore') return { kind: 'unchanged' }
    if (patch.kind === 'delete' && mapping.onDelete !== 'hard')
      return { kind: 'unavailable', error: unsuitable(name, unsupported(mapping)) }
    const path = templateOf(mapping).of(patch.key)
    if (!path.ok) return { kind: 'rejected', code: path.code, reason: path.reason }
    // One time for all requests of a patch, so that the last of them is not later than one alone would be.
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(), timeoutMs)
    try {
      const limited = AbortSignal.any([signal, limit.signal])
      return await (patch.kind === 'delete'
        ? remove(mapping, patch, path.path, limited)
        : upsert(mapping, patch, path.path, limited))
    } catch (error) {
      return unanswered(error)
    } finally {
      clearTimeout(timer)
    }
  }

  const plan = () =>
    mappings
      .filter(({ onDelete }) => onDelete === 'soft' || onDelete === 'archive')
      .map((mapping) => unsupported(mapping))
  const assertSuitable = () => {
    const missing = plan()
    if (missing.length > 0) throw unsuitable(name, missing.join('; '))
  }

  return {
    comparesVersions,
    lateRequestMs: options.lateRequestMs ?? 2 * timeoutMs,
    batchMax: 1,
    plan: async () => plan(),
    provision: async () => assertSuitable(),
    check: async () => {
      assertSuitable()
      const answer = await orUnreachable(name, get('/', AbortSignal.timeout(timeoutMs)))
      // There need not be anything at the base, so most answers only tell that somebody is there.
      if (answer.status === 401) throw unsuitable(name, 'it refuses the credentials (status 401): check its `headers`')
      if (answer.status >= 500) throw unreachable(name, 'GET', answer.status)
    },
    apply: (mapping, patches, signal) => Promise.all(patches.map((patch) => applyOne(mapping, patch, signal))),
    preview: (mapping, patch) =>
      preview(base, options.headers, secrets.length > 0, mapping, patch, templateOf(mapping)),
    read: async (mapping, key, signal) => {
      const path = templateOf(mapping).of(key)
      if (!path.ok) return null
      const answer = await orUnreachable(name, get(path.path, signal))
      if (verdictOf(answer) === 'missing') return null
      if (verdictOf(answer) !== 'applied') throw unreachable(name, 'GET', answer.status)
      return valuesOf(name, mapping, answer.body)
    },
    close: async () => client.close(),
  }
}

function collectionOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

function preview(
  base: string,
  headers: Readonly<Record<string, string>>,
  isSigned: boolean,
  mapping: EntityMapping,
  patch: Patch,
  template: PathTemplate,
): RequestPreview {
  const nothing = (request: string) => ({ request, headers: {}, body: null })
  if (patch.kind === 'delete' && mapping.onDelete === 'ignore') return nothing('nothing: deletes are ignored')
  const path = template.of(patch.key)
  if (!path.ok) return nothing(`nothing: ${path.reason}`)
  const body = patch.kind === 'delete' ? null : objectText(mapping, patch.fields, true)
  if (body?.ok === false) return nothing('nothing: a value has no form in JSON')
  const request =
    body === null
      ? deleteRequest(path.path, patch.tag)
      : mergeRequest(path.path, body.text, patch.tag, patch.kind === 'upsert' && patch.full)
  const secret = [
    ...Object.keys(headers),
    ...(isSigned ? ['webhook-id', 'webhook-timestamp', 'webhook-signature'] : []),
  ]
  return {
    request: `${request.method} ${base}${request.path}`,
    headers: {
      accept: 'application/json',
      ...request.headers,
      ...changeHeaders(mapping.entity.name, patch, request, null),
      ...Object.fromEntries(secret.map((header) => [header.toLowerCase(), '…'])),
    },
    body: request.body === '' ? null : request.body,
  }
}

/** Mapped fields of an answer. What is missing there was cleared (null); what is none of its type is left out. */
function valuesOf(name: string, mapping: EntityMapping, body: Buffer): Readonly<Record<string, Value>> {
  let read: unknown
  try {
    read = parseText(body.toString('utf8'))
  } catch (error) {
    throw new TributaryError('destination-unreachable', `subscriber "${name}" answers GET with what is no JSON`, {
      cause: error,
    })
  }
  const members: ReadonlyMap<string, unknown> = new Map(Object.entries(read ?? {}))
  const values: Record<string, Value> = {}
  for (const { to, type } of mapping.fields) {
    const value = canonicalValue(type, members.get(to))
    if (value !== undefined) values[to] = value
  }
  return values
}

function readBase(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  const isPlain =
    url !== null && /^https?:$/.test(url.protocol) && url.username + url.password + url.search + url.hash === ''
  if (isPlain) return url.href.replace(/\/+$/, '')
  throw new TributaryError('declaration-invalid', 'the url has to be http(s)://host/path, without user, `?` or `#`')
}

function unsupported({ entity, onDelete }: EntityMapping): string {
  return `${entity.name}: deletes are \`${onDelete}\`, for which HTTP has no form; \`hard\` and \`ignore\` are possible`
}

async function orUnreachable(name: string, asking: Promise<HttpAnswer>): Promise<HttpAnswer> {
  try {
    return await asking
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    throw new TributaryError('destination-unreachable', `subscriber "${name}": ${error.message}`, { cause: error })
  }
}

import { TributaryError } from '../../schemas/errors.ts'
import type { Value } from '../../schemas/field-type.ts'
import { formatKey } from '../../schemas/key.ts'
import type { Budget, Destination, EntityMapping, Outcome, Patch, RequestPreview } from '../destination.ts'
import { ExactNumber, isObject, type JsonObject, parseExact, writeObject } from '../exact-json.ts'
import { type HttpAnswer, NoAnswer, retryAfterMs } from '../http/client.ts'
import type { Dialect } from './dialect.ts'
import { keyType } from './key.ts'
import { errorOf } from './refusal.ts'
import { JSON_TYPE, ODATA_HEADERS, type ODataOptions, type ODataSession } from './session.ts'
import { readValue } from './values.ts'
import { writePatch } from './write.ts'

/** What one system adds to OData for everything but writing. */
export interface ODataSystem extends Dialect {
  /** What is missing there for the mappings, in words. @throws NoAnswer, TributaryError */
  problems(mappings: readonly EntityMapping[], signal: AbortSignal): Promise<readonly string[]>
  /** What is asked of an object for {@link Destination.read}: all mapped fields, and what {@link Dialect.findQuery} asks. */
  readQuery(mapping: EntityMapping): readonly string[]
  /** The JSON of a mapped field in a row that was read. */
  fieldOf(mapping: EntityMapping, field: string, row: JsonObject): JsonObject[string] | undefined
  /** The list of all objects, with their key fields; null where those that people made cannot be told from ours, so that none are listed. */
  readonly keysPath: ((mapping: EntityMapping) => string) | null
  budget(): Budget | null
}

/** The rows of one page of {@link Destination.keys}. */
export const PAGE_ROWS_MAX = 1000
export const PAGE_HEADERS = { prefer: `odata.maxpagesize=${PAGE_ROWS_MAX}` } as const
/** A page of keys, and the metadata of a large system. */
export const LARGE_ANSWER_BYTES_MAX = 64 * 1024 * 1024

/** A destination for one system that speaks OData. Single requests, as its vendor advises; the engine sends many at once. */
export function createODataDestination(
  options: ODataOptions & { readonly mappings: readonly EntityMapping[] },
  session: ODataSession,
  system: ODataSystem,
): Destination {
  const lateRequestMs = options.lateRequestMs ?? 2 * options.timeoutMs
  const { keysPath } = system
  const plan = () => named(options.name, () => system.problems(options.mappings, never))
  const check = async () => {
    const missing = await plan()
    if (missing.length > 0)
      throw new TributaryError(
        'destination-unsuitable',
        `subscriber "${options.name}" cannot take the changes as declared; change it in ${system.system} or in the declaration:\n${missing.map((step) => `- ${step}`).join('\n')}`,
      )
  }
  /** One mapping's patches without a request are not sent while it asks for rest: ignoring that lengthens it. */
  const applyOne = async (mapping: EntityMapping, patch: Patch, signal: AbortSignal): Promise<Outcome> => {
    const budget = system.budget()
    if (budget && budget.left === 0 && budget.moreInMs > 0) return { kind: 'throttled', afterMs: budget.moreInMs }
    return await writePatch(session, system, mapping, patch, signal, () => performance.now())
  }

  return {
    comparesVersions: system.comparesTags,
    // An ETag goes with its object.
    forgetsDeletes: true,
    lateRequestMs,
    batchMax: 1,
    plan,
    provision: check,
    check,
    apply: (mapping, patches, signal) => Promise.all(patches.map((patch) => applyOne(mapping, patch, signal))),
    budget: () => system.budget(),
    preview: (mapping, patch) => preview(session, system, mapping, patch),
    read: (mapping, key, signal) => named(options.name, () => read(session, system, mapping, key, signal)),
    ...(keysPath === null
      ? {}
      : { keys: (mapping, signal) => keys(options.name, session, system, mapping, keysPath(mapping), signal) }),
    close: async () => session.close(),
  }
}

const never = new AbortController().signal

/** A person has several subscribers, and the error of one says which. */
async function named<T>(name: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof TributaryError)
      throw new TributaryError(error.code, `subscriber "${name}": ${error.message}`, { cause: error })
    if (error instanceof NoAnswer)
      throw new TributaryError('destination-unreachable', `subscriber "${name}": ${error.message}`, { cause: error })
    throw error
  }
}

/**
 * Asks for JSON, for a person or a sweep and not for a patch.
 * @returns null for 404 of an object
 * @throws TributaryError `destination-unreachable`, `destination-unsuitable`; NoAnswer
 */
export async function ask(
  session: ODataSession,
  system: Pick<Dialect, 'system' | 'refusalOf'>,
  path: string,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
): Promise<JsonObject | null> {
  const answer = await session.send({ method: 'GET', path, headers, answerBytesMax: LARGE_ANSWER_BYTES_MAX }, signal)
  const json = answer.status === 200 ? parseExact(answer.body.toString('utf8')) : undefined
  if (isObject(json)) return json
  throwUnlessMissing(system, answer)
  return null
}

function throwUnlessMissing(system: Pick<Dialect, 'system' | 'refusalOf'>, answer: HttpAnswer): void {
  const error = errorOf(answer)
  const refusal = answer.status === 200 ? 'everyone' : system.refusalOf(error, 'find')
  if (refusal === 'missing') return
  const passing = refusal === 'down' || refusal === 'failed' || refusal === 'throttled'
  const code = error.code === '' ? '' : `, code ${error.code}`
  const after = refusal === 'throttled' ? `; try again after ${retryAfterMs(answer.headers, 0) / 1000} s` : ''
  throw new TributaryError(
    passing ? 'destination-unreachable' : 'destination-unsuitable',
    `${system.system} ${passing ? 'failed' : 'refused'} a request for what it holds: status ${answer.status}${code}${after}`,
  )
}

async function read(
  session: ODataSession,
  system: ODataSystem,
  mapping: EntityMapping,
  key: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, Value>> | null> {
  const place = system.place(mapping, key)
  if ('ok' in place) return null
  const json = await ask(session, system, place.find(system.readQuery(mapping)), signal)
  const row = json !== null && Array.isArray(json.value) ? json.value[0] : json
  if (!isObject(row) || !place.isIt(row) || system.softDelete(mapping)?.isMarked(row)) return null
  return Object.fromEntries(
    mapping.fields.map(({ to, type }) => [to, readValue(to, type, system.fieldOf(mapping, to, row))]),
  )
}

async function* keys(
  name: string,
  session: ODataSession,
  system: ODataSystem,
  mapping: EntityMapping,
  firstPath: string,
  signal: AbortSignal,
): AsyncIterable<readonly string[]> {
  if (mapping.keyFields.some((field) => mapping.fields.find(({ to }) => to === field)?.transform))
    throw new TributaryError(
      'destination-unsuitable',
      `subscriber "${name}": the keys of ${mapping.target} cannot be listed, as a transform makes them`,
    )
  let path: string | null = firstPath
  while (path !== null) {
    const asked: string = path
    const page = await named(name, () => ask(session, system, asked, signal, PAGE_HEADERS))
    const rows = page && Array.isArray(page.value) ? page.value.filter(isObject) : []
    const found = rows.map((row) => keyIn(mapping, row)).filter((key) => key !== null)
    if (found.length > 0) yield found
    const next = page?.['@odata.nextLink']
    path = typeof next === 'string' ? await named(name, async () => session.pathOf(next)) : null
  }
}

/** The record key of a row; null where a part is empty: somebody else's row. */
function keyIn(mapping: EntityMapping, row: JsonObject): string | null {
  const parts: string[] = []
  for (const [at, field] of mapping.keyFields.entries()) {
    const json = row[field]
    const kind = keyType(mapping, at).kind
    const text = json instanceof ExactNumber ? json.text : typeof json === 'string' ? json : ''
    if (text === '') return null
    parts.push(kind === 'uuid' ? text.toLowerCase() : kind === 'date' ? text.slice(0, 10) : text)
  }
  return formatKey(parts)
}

const READ_FIRST = '(the ETag that is read first)'

function preview(session: ODataSession, system: ODataSystem, mapping: EntityMapping, patch: Patch): RequestPreview {
  const nothing = (why: string): RequestPreview => ({ request: `nothing: ${why}`, headers: {}, body: null })
  const place = system.place(mapping, patch.key)
  if ('ok' in place) return nothing(place.reason)
  const isDirect = place.address !== null
  const address = place.address ?? `${mapping.target}(…)`
  const tag = patch.tag === null ? READ_FIRST : isDirect ? patch.tag : patch.tag.slice(patch.tag.indexOf(' ') + 1)
  const headers = {
    ...ODATA_HEADERS,
    authorization: 'Bearer …',
    ...(system.comparesTags ? { 'if-match': tag } : {}),
  }
  const patched = (members: readonly (readonly [string, string])[]): RequestPreview => ({
    request: `PATCH ${session.root}${address}${system.writeQuery(mapping, 'PATCH')}`,
    headers: { ...headers, ...JSON_TYPE, prefer: 'return=representation' },
    body: writeObject(members),
  })
  if (patch.kind === 'upsert') {
    const body = system.body(mapping, patch.fields)
    return body.ok ? patched(body.members) : nothing(body.reason)
  }
  if (mapping.onDelete === 'ignore') return nothing('deletes are ignored')
  const soft = system.softDelete(mapping)
  if (soft) return patched(soft.mark)
  return { request: `DELETE ${session.root}${address}${system.writeQuery(mapping, 'DELETE')}`, headers, body: null }
}

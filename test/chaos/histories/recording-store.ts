import {
  type Sandbox,
  type SandboxAnswer,
  type SandboxRequest,
  startSandbox,
} from '../../../connectors/http/sandbox-server.ts'
import type { EffectEntry, Fields, StateEntry } from './history.ts'
import { brief } from './values.ts'

/** A REST system that compares no versions and writes down, at the very place where a request takes effect, what it does. */
export interface RecordingStore extends Pick<Sandbox, 'url' | 'misbehave' | 'close'> {
  readonly history: readonly EffectEntry[]
  state(): StateEntry[]
  /** Every request for one of these entities fails from now on; of none by an empty list. */
  failEntities(entities: readonly string[]): void
}

/**
 * @param name of the destination; objects are at `/<entity>/<key>`
 * @param fields of each entity: one that nobody sent is empty
 */
export async function startRecordingStore(
  name: string,
  fields: Readonly<Record<string, readonly string[]>>,
): Promise<RecordingStore> {
  const objects = new Map<string, { readonly entity: string; readonly key: string; readonly fields: Fields }>()
  const history: EffectEntry[] = []
  let failing: readonly string[] = []
  const nothing = (entity: string): Fields => Object.fromEntries((fields[entity] ?? []).map((field) => [field, null]))

  const carryOut = (request: SandboxRequest, rejects: (key: string) => boolean): SandboxAnswer => {
    const { method, path, headers } = request
    const [, entity = '', ...rest] = path.split('/')
    const key = decodeURIComponent(rest.join('/'))
    if (failing.includes(entity)) return { status: 503, body: { title: 'not now' } }
    const held = objects.get(path)
    if (method === 'GET') return held ? { status: 200, body: held.fields } : { status: 404, body: { title: 'none' } }
    const sent = method === 'DELETE' ? null : readFields(request.body)
    const note = (result: EffectEntry['result']) =>
      history.push({
        destination: name,
        number: history.length + 1,
        atMs: Date.now(),
        entity,
        key,
        version: typeof headers['tributary-version'] === 'string' ? headers['tributary-version'] : null,
        op: method === 'DELETE' ? 'delete' : 'write',
        sent,
        after: objects.get(path)?.fields ?? null,
        result,
      })
    if (rejects(key)) {
      note('rejected')
      // As many APIs do: it repeats what it was sent.
      return { status: 422, body: { title: 'not valid', detail: request.body.toString('utf8') } }
    }
    const isMet =
      headers['if-match'] === '*' ? held !== undefined : headers['if-none-match'] !== '*' || held === undefined
    if (!isMet) return { status: 412, body: { title: 'it is not so' } }
    if (method !== 'PUT' && held === undefined) {
      // A delete of nothing is done as well.
      if (method === 'DELETE') note('applied')
      return { status: 404, body: { title: 'none' } }
    }
    if (method === 'DELETE') objects.delete(path)
    else
      objects.set(path, {
        entity,
        key,
        fields: { ...(method === 'PUT' || !held ? nothing(entity) : held.fields), ...sent },
      })
    note('applied')
    return method === 'DELETE' ? { status: 204 } : { status: held ? 200 : 201, body: {} }
  }

  const sandbox = await startSandbox({
    handle: (request, asked) => carryOut(request, asked.rejects),
    objects: () => [...objects.values()],
  })
  return {
    url: sandbox.url,
    misbehave: (how) => sandbox.misbehave(how),
    close: () => sandbox.close(),
    history,
    failEntities(entities) {
      failing = entities
    },
    state: () => [...objects.values()].map(({ entity, key, fields }) => ({ place: name, entity, key, fields })),
  }
}

/** JSON members as texts: numbers with all the digits that they came with. */
function readFields(body: Buffer): Fields {
  const exact = (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' ? context!.source! : value
  const parse = JSON.parse as (text: string, reviver: typeof exact) => Record<string, unknown>
  return Object.fromEntries(
    Object.entries(parse(body.toString('utf8'), exact)).map(([name, value]) => [
      name,
      value === null ? null : brief(String(value)),
    ]),
  )
}

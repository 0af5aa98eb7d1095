import type { EntityMapping, Outcome, Patch, Upsert } from '../destination.ts'
import { itemOutcomes, refusalOf, verdictOf } from './answers.ts'
import { type Asker, createAsker, type Sent } from './ask.ts'
import { lookUp } from './look-up.ts'
import { isPlainKey, type Paths } from './paths.ts'
import { keyFieldOf, renderFields } from './record/fields.ts'
import { renderKey } from './record/render.ts'
import type { Session } from './session.ts'
import type { Addressed } from './vendor-errors.ts'

/** A record as it is sent, and the patch that it stands for. */
interface Item {
  /** The place of its patch. */
  readonly at: number
  readonly key: string
  readonly fields: Upsert['fields']
  /** The record's members after `attributes` and what it is found by. */
  readonly members: string
  /** What it means when the object is missing. */
  readonly missing: Outcome
}

/** "Using sObject Collections": the most records of one request. */
export const COLLECTION_MAX = 200
/** The most bytes of the records in one request. */
const BODY_BYTES_MAX = 4 * 1024 * 1024
/**
 * Up to so many updates go one by one: a single request is checked and carried out in one step, and looking ids up first costs two calls
 * whatever their number.
 */
const SINGLES_MAX = 2
const MISSING_FOR_UPDATE_ONLY: Outcome = {
  kind: 'blocked',
  by: '',
  code: 'object-missing',
  reason: 'objects are only changed here, never made, and this one is not there yet',
}

/**
 * Applies patches of one entity. A collection upsert creates what is missing and has no form that does not, so it takes full patches alone;
 * others, and deletes, go to objects by the ids that a query found, which can never make a half object. Deletes come first and full patches last,
 * as what frees a unique value has to go before what takes it.
 */
export async function applyPatches(
  session: Session,
  paths: Paths,
  mapping: EntityMapping,
  patches: readonly Patch[],
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  const full: Item[] = []
  const updates: Item[] = []
  const removals: Item[] = []
  for (const [at, patch] of patches.entries()) {
    if (patch.kind === 'delete' && mapping.onDelete === 'ignore') {
      outcomes[at] = { kind: 'unchanged' }
      continue
    }
    const fields = patch.kind === 'delete' ? {} : patch.fields
    const key = renderKey(patch.key)
    const rendered = renderFields(mapping, fields)
    if (!key.ok || !rendered.ok) {
      const { code, reason } = !key.ok ? key : (rendered as Extract<typeof rendered, { ok: false }>)
      outcomes[at] = { kind: 'rejected', code, reason }
      continue
    }
    const missing: Outcome =
      patch.kind === 'delete'
        ? { kind: 'applied' }
        : mapping.updateOnly && patch.full
          ? MISSING_FOR_UPDATE_ONLY
          : { kind: 'absent' }
    const item = { at, key: patch.key, fields, members: rendered.members, missing }
    const group = patch.kind === 'delete' ? removals : patch.full && !mapping.updateOnly ? full : updates
    group.push(item)
  }

  const ask = createAsker(session, signal)
  const settle = (items: readonly Item[], results: readonly Outcome[]) => {
    for (const [index, { at, missing }] of items.entries())
      outcomes[at] = results[index]!.kind === 'absent' ? missing : results[index]!
  }
  const isSingle = updates.length <= SINGLES_MAX && updates.every(({ key }) => isPlainKey(key))
  const byId = isSingle ? removals : [...removals, ...updates]
  if (byId.length > 0) {
    const ids = await lookUp(
      ask,
      paths,
      mapping,
      byId.map(({ key }) => key),
    )
    const found = (items: readonly Item[]) =>
      items.filter((item) => {
        const id = ids.get(item.key)
        if (typeof id !== 'string') settle([item], [id ?? { kind: 'absent' }])
        return typeof id === 'string'
      })
    const idOf = ({ key }: Item) => JSON.stringify(ids.get(key))
    const gone = found(removals)
    settle(
      gone,
      await sendSplitting(ask, mapping, gone, 'id', (some) => ({
        method: 'DELETE',
        path: paths.deleteMany(some.map(({ key }) => ids.get(key) as string)),
        body: null,
      })),
    )
    const changed = isSingle ? [] : found(updates)
    settle(
      changed,
      await sendSplitting(ask, mapping, changed, 'id', (some) => ({
        method: 'PATCH',
        path: paths.updateMany(),
        body: collection(mapping, some, (item) => `,"id":${idOf(item)}${item.members}`),
      })),
    )
  }
  if (isSingle)
    for (const item of updates)
      settle([item], [await updateOne(ask, mapping, item, paths.updateOne(mapping, item.key))])
  const keyName = JSON.stringify(keyFieldOf(mapping))
  settle(
    full,
    await sendSplitting(ask, mapping, full, 'key', (some) => ({
      method: 'PATCH',
      path: paths.upsertMany(mapping),
      body: collection(mapping, some, ({ key, members }) => `,${keyName}:${JSON.stringify(key)}${members}`),
    })),
  )
  return outcomes
}

export function collection<T>(mapping: EntityMapping, items: readonly T[], membersOf: (item: T) => string): string {
  const attributes = `{"attributes":{"type":${JSON.stringify(mapping.target)}}`
  return `{"allOrNone":false,"records":[${items.map((item) => `${attributes}${membersOf(item)}}`).join(',')}]}`
}

/** The body of a single update: no key and no id, which it refuses. */
export function singleBody(members: string): string {
  return `{${members.slice(1)}}`
}

async function updateOne(ask: Asker, mapping: EntityMapping, item: Item, path: string): Promise<Outcome> {
  const answer = await ask({ method: 'PATCH', path, body: singleBody(item.members) })
  if ('kind' in answer) return answer
  if (answer.status === 404) return { kind: 'absent' }
  const verdict = verdictOf(answer)
  if (verdict.kind === 'all') return verdict.outcome
  if (verdict.kind === 'answered') return { kind: 'applied' }
  return refusalOf(verdict.errors, [item.fields], mapping, 'key')!
}

/** Sends records as collections; where one is refused as a whole, in halves until the culprit stands alone. */
async function sendSplitting(
  ask: Asker,
  mapping: EntityMapping,
  items: readonly Item[],
  addressed: Addressed,
  requestFor: (items: readonly Item[]) => Sent,
): Promise<readonly Outcome[]> {
  const results: Outcome[] = []
  for (const some of chunks(items)) results.push(...(await sendChunk(ask, mapping, some, addressed, requestFor)))
  return results
}

async function sendChunk(
  ask: Asker,
  mapping: EntityMapping,
  items: readonly Item[],
  addressed: Addressed,
  requestFor: (items: readonly Item[]) => Sent,
): Promise<readonly Outcome[]> {
  const answer = await ask(requestFor(items))
  if ('kind' in answer) return items.map(() => answer)
  const verdict = verdictOf(answer)
  if (verdict.kind === 'all') return items.map(() => verdict.outcome)
  const records = items.map(({ fields }) => fields)
  if (verdict.kind === 'answered') return itemOutcomes(verdict.body, records, mapping, addressed)
  const refusal = refusalOf(verdict.errors, records, mapping, addressed)
  if (refusal !== null) return items.map(() => refusal)
  const half = Math.ceil(items.length / 2)
  return [
    ...(await sendChunk(ask, mapping, items.slice(0, half), addressed, requestFor)),
    ...(await sendChunk(ask, mapping, items.slice(half), addressed, requestFor)),
  ]
}

function chunks(items: readonly Item[]): readonly (readonly Item[])[] {
  const all: Item[][] = []
  let bytes = 0
  for (const item of items) {
    const size = Buffer.byteLength(item.members) + Buffer.byteLength(item.key)
    const last = all.at(-1)
    if (last !== undefined && last.length < COLLECTION_MAX && bytes + size <= BODY_BYTES_MAX) {
      last.push(item)
      bytes += size
    } else {
      all.push([item])
      bytes = size
    }
  }
  return all
}

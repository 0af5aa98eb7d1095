import { TributaryError } from '../../schemas/errors.ts'
import type { Outcome, Upsert } from '../destination.ts'
import { outcomeOf, type Reply } from './answer.ts'
import type { Api } from './api.ts'
import {
  CREATE_CUSTOMER,
  CREATE_PRODUCT,
  DELETE_METAFIELDS,
  type Document,
  READ_DEFAULT_VARIANT,
  SET_METAFIELDS,
  UPDATE_CUSTOMER,
  UPDATE_PRODUCT,
  UPDATE_VARIANTS,
} from './documents.ts'
import { DELETED_MARK, formOf, metafieldOf, PRODUCT_FIELD } from './fields.ts'
import type { FindReply } from './find.ts'
import { findObject } from './find.ts'
import type { IdCache, ObjectIds } from './id-cache.ts'
import { at, type Json, type JsonObject, listAt, setAt, textAt } from './json.ts'
import { keyParts, type Resolved, renderPatch, type Sent } from './mapping.ts'

export interface Store {
  readonly api: Api
  readonly ids: IdCache
}

export interface Request {
  readonly document: Document
  readonly variables: JsonObject
}

/** Applies a patch of a product, customer or variant. */
export async function upsertObject(
  store: Store,
  resolved: Resolved,
  patch: Upsert,
  signal: AbortSignal,
): Promise<Outcome> {
  const { mapping, target } = resolved
  const parts = keyParts(resolved, patch.key)
  if (!parts.ok) return { kind: 'rejected', code: parts.code, reason: parts.reason }
  const keyPart = parts.value[0]!
  const sent = renderPatch(resolved, patch)
  if (!sent.ok) return { kind: 'rejected', code: sent.code, reason: sent.reason }

  // An id that was kept may be of an object that is gone by now: then it is looked up, once.
  const kept = keepsIds(resolved) ? store.ids.get(target, patch.key) : undefined
  if (kept !== undefined) {
    const outcome = await sendAll(store.api, updateRequests(resolved, kept, sent.value, false), signal)
    if (outcome.kind !== 'gone') return outcome
    store.ids.forget(target, patch.key)
  }
  const found = await findObject(store.api, resolved, keyPart, signal)
  if (found.kind === 'failed') return found.outcome
  const marked = found.kind === 'found' && isMarkedDeleted(resolved, found.object)
  if (found.kind === 'none' || marked) {
    if (!patch.full) return { kind: 'absent' }
    if (found.kind === 'none' && mapping.updateOnly)
      return {
        kind: 'blocked',
        by: '',
        code: 'object-missing',
        reason: `there is no such ${target}, and none may be made`,
      }
  }
  if (found.kind === 'none') return await create(store, resolved, patch, keyPart, sent.value, signal)
  const outcome = await sendAll(store.api, updateRequests(resolved, found.ids, sent.value, marked), signal)
  // Deleted between the two requests.
  if (outcome.kind === 'gone') return { kind: 'conflict' }
  if (outcome.kind === 'applied' && keepsIds(resolved)) store.ids.keep(target, patch.key, found.ids)
  return outcome
}

/** A product that may be archived has to be looked at each time. */
function keepsIds({ policy }: Resolved): boolean {
  return policy !== 'archive'
}

/** Deleted here, kept there: counts as missing. One that a person archived is not marked, and stays as it is. */
export function isMarkedDeleted({ policy }: Resolved, object: JsonObject): boolean {
  return (
    policy === 'archive' && textAt(object, 'deleted', 'value') === 'true' && textAt(object, 'status') === 'ARCHIVED'
  )
}

/**
 * The requests of a patch for an object that is there. Fields and metafields go in one mutation, which is atomic; metafields alone by
 * `metafieldsSet`; those that are cleared by `metafieldsDelete`, last.
 * @param isMarked it was deleted before, and comes back
 */
export function updateRequests(resolved: Resolved, ids: ObjectIds, sent: Sent, isMarked: boolean): readonly Request[] {
  const requests: Request[] = []
  const metafields: JsonObject[] = sent.metafields.map((metafield) => ({ ...metafield }))
  const input: Record<string, Json> = { ...sent.input }
  if (isMarked) {
    input.status ??= 'ACTIVE'
    metafields.push({ ...DELETED_MARK, type: 'boolean', value: 'false' })
  }
  if (Object.keys(input).length > 0) {
    const all = { id: ids.id, ...input, ...(metafields.length === 0 ? {} : { metafields }) }
    if (resolved.target === 'product') requests.push({ document: UPDATE_PRODUCT, variables: { product: all } })
    else if (resolved.target === 'customer') requests.push({ document: UPDATE_CUSTOMER, variables: { input: all } })
    else requests.push({ document: UPDATE_VARIANTS, variables: { productId: ids.productId!, variants: [all] } })
  } else if (metafields.length > 0) {
    const owned = metafields.map((metafield) => ({ ownerId: ids.id, ...metafield }))
    requests.push({ document: SET_METAFIELDS, variables: { metafields: owned } })
  }
  if (sent.cleared.length > 0) {
    const owned = sent.cleared.map((name) => ({ ownerId: ids.id, ...name }))
    requests.push({ document: DELETE_METAFIELDS, variables: { metafields: owned } })
  }
  return requests
}

async function sendAll(
  api: Api,
  requests: readonly Request[],
  signal: AbortSignal,
): Promise<Outcome | { readonly kind: 'gone' }> {
  if (requests.length === 0) return { kind: 'unchanged' }
  for (const [at, { document, variables }] of requests.entries()) {
    const reply = await api.call(document, variables, signal)
    if (reply.kind === 'data') continue
    if (at > 0) return afterPart(reply)
    if (reply.kind === 'user-error' && reply.error.verdict === 'missing') return { kind: 'gone' }
    return reply.kind === 'failed' ? reply.outcome : outcomeOf(reply.error)
  }
  return { kind: 'applied' }
}

/** A part of the patch took effect already, and the ledger has to take the whole key as uncertain, whatever became of the rest. */
function afterPart(reply: Exclude<Reply, { readonly kind: 'data' }>): Outcome {
  const outcome = reply.kind === 'failed' ? reply.outcome : outcomeOf(reply.error)
  if (outcome.kind === 'unknown') return outcome
  const code = 'code' in outcome ? outcome.code : outcome.kind
  const cause = outcome.kind === 'unavailable' ? outcome.error : undefined
  const error = new TributaryError(
    'destination-unreachable',
    `a part of the change was applied, the rest was not (${code})`,
    { cause },
  )
  return { kind: 'unknown', error }
}

async function create(
  store: Store,
  resolved: Resolved,
  patch: Upsert,
  keyPart: string,
  sent: Sent,
  signal: AbortSignal,
): Promise<Outcome> {
  const { target } = resolved
  if (target === 'variant') return await takeDefaultVariant(store, resolved, patch, keyPart, sent, signal)
  const { document, variables } = createRequest(resolved, keyPart, sent)
  const reply = await store.api.call(document, variables, signal)
  if (reply.kind === 'failed') return reply.outcome
  if (reply.kind === 'user-error') return outcomeOf(reply.error)
  const id = textAt(reply.payload, target, 'id')
  if (id !== undefined && keepsIds(resolved)) store.ids.keep(target, patch.key, { id })
  return { kind: 'applied' }
}

/** One atomic request, key included: an object without its key would never be found again. */
export function createRequest({ target, keyField }: Resolved, keyPart: string, sent: Sent): Request {
  const metafield = metafieldOf(keyField)
  const input: Record<string, Json> = { ...sent.input }
  if (!metafield) setAt(input, formOf(target, keyField)!.input, keyPart)
  const metafields: JsonObject[] = [
    ...(metafield ? [{ ...metafield, value: keyPart }] : []),
    ...sent.metafields.map((each) => ({ ...each })),
  ]
  if (metafields.length > 0) input.metafields = metafields
  return target === 'product'
    ? { document: CREATE_PRODUCT, variables: { product: input } }
    : { document: CREATE_CUSTOMER, variables: { input } }
}

/**
 * Variants come with their product: one without options has a single variant, which gets the key here. Others are made in the store, as what
 * makes them differ (options) is a list that is not ours.
 */
async function takeDefaultVariant(
  store: Store,
  resolved: Resolved,
  patch: Upsert,
  keyPart: string,
  sent: Sent,
  signal: AbortSignal,
): Promise<Outcome> {
  const blocked: Outcome = {
    kind: 'blocked',
    by: 'product',
    code: 'object-missing',
    reason: 'there is no such variant, and no product without options that waits for one',
  }
  const productKey = patch.fields[PRODUCT_FIELD]
  if (typeof productKey !== 'string') return { ...blocked, by: '' }
  const lookup = resolved.mapping.lookups[PRODUCT_FIELD]!
  const product = await findProduct(store, lookup.keyField, productKey, signal)
  if (product.kind === 'failed') return product.outcome
  if (product.kind === 'none') return blocked
  const ids = { productId: product.ids.id }
  const reply = await store.api.call(READ_DEFAULT_VARIANT, { id: product.ids.id }, signal)
  if (reply.kind === 'failed') return reply.outcome
  if (reply.kind === 'user-error') return outcomeOf(reply.error)
  const variant = listAt(reply.payload, 'variants', 'nodes')[0]
  const id = textAt(variant, 'id')
  if (
    at(reply.payload, 'hasOnlyDefaultVariant') !== true ||
    id === undefined ||
    (textAt(variant, 'sku') ?? '') !== ''
  ) {
    store.ids.forget(productBy(lookup.keyField), productKey)
    return blocked
  }
  const { keyField } = resolved
  const metafield = metafieldOf(keyField)
  const input: Record<string, Json> = { ...sent.input }
  if (!metafield) setAt(input, formOf('variant', keyField)!.input, keyPart)
  const keyed: Sent = {
    ...sent,
    input,
    metafields: [...(metafield ? [{ ...metafield, value: keyPart }] : []), ...sent.metafields],
  }
  const outcome = await sendAll(store.api, updateRequests(resolved, { id, ...ids }, keyed, false), signal)
  // Searches find it only some seconds later.
  if (outcome.kind === 'applied') store.ids.keep('variant', patch.key, { id, ...ids })
  return outcome.kind === 'gone' ? { kind: 'conflict' } : outcome
}

async function findProduct(store: Store, keyField: string, key: string, signal: AbortSignal): Promise<FindReply> {
  const kept = store.ids.get(productBy(keyField), key)
  if (kept !== undefined) return { kind: 'found', ids: kept, object: {} }
  const metafield = metafieldOf(keyField)
  const metafieldKeys = [metafield ? `${metafield.namespace}.${metafield.key}` : 'tributary.deleted']
  const found = await findObject(store.api, { target: 'product', keyField, metafieldKeys }, key, signal)
  if (found.kind === 'found') store.ids.keep(productBy(keyField), key, found.ids)
  return found
}

function productBy(keyField: string): string {
  return `product by ${keyField}`
}

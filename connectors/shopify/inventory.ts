import { randomUUID } from 'node:crypto'
import { TributaryError } from '../../schemas/errors.ts'
import type { Value } from '../../schemas/field-type.ts'
import type { Outcome, Upsert } from '../destination.ts'
import { outcomeOf } from './answer.ts'
import { READ_LEVEL, SET_QUANTITIES } from './documents.ts'
import { findObject, readLocations } from './find.ts'
import { type Change, idempotencyKey } from './idempotency-key.ts'
import { at, type JsonObject, listAt, textAt } from './json.ts'
import { keyParts, type Resolved } from './mapping.ts'
import type { Request, Store } from './upsert.ts'

/** GraphQL's Int; the vendor's own limit (1,000,000,000) lies below, and it tells when that is passed. */
const QUANTITY_MAX = 2_147_483_647n
/** How many keys whose first use failed are passed over before the change is tried again from its beginning. */
const ATTEMPTS_MAX = 8

/**
 * Sets what is available of a variant at a location, by compare-and-set: reads the quantity, and sets the new one only if it is still that. A
 * full patch is repeated to put right what a late request of a former owner may have done, and Shopify would answer a key that it knows
 * without doing anything: its key is new each time. The quantities are absolute and compared, so sending it twice does no harm.
 */
export async function setStock(
  store: Store,
  subscriber: string,
  resolved: Resolved,
  patch: Upsert,
  signal: AbortSignal,
): Promise<Outcome> {
  const parts = keyParts(resolved, patch.key)
  if (!parts.ok) return { kind: 'rejected', code: parts.code, reason: parts.reason }
  const [sku, location] = parts.value as [string, string | undefined]
  const place = await readPlace(store, resolved, patch.key, sku, location, signal)
  if (place.kind === 'failed') return place.outcome
  if (place.kind === 'none') {
    if (!patch.full) return { kind: 'absent' }
    return { kind: 'blocked', by: place.by, code: place.code, reason: place.reason }
  }
  const wanted = patch.fields.available
  if (wanted === undefined) return { kind: 'unchanged' }
  const quantity = quantityOf(wanted)
  if (quantity === null)
    return {
      kind: 'rejected',
      code: 'value-out-of-range',
      reason: 'available is no number of pieces that Shopify can have',
    }
  if (quantity === place.available) return { kind: 'unchanged' }

  const { inventoryItemId, locationId, available: changeFromQuantity } = place
  const { entity } = resolved.mapping
  const change = {
    subscriber,
    entity: entity.name,
    key: patch.key,
    version: patch.version,
    quantity,
    changeFromQuantity,
    inventoryItemId,
    locationId,
    nonce: patch.full ? randomUUID() : null,
  }
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const { document, variables } = stockRequest({ ...change, attempt })
    const reply = await store.api.call(document, variables, signal)
    if (reply.kind === 'data') return { kind: 'applied' }
    if (reply.kind === 'failed') return reply.outcome
    // A request of this key failed before, so surely did nothing, and its key is of no more use.
    if (reply.error.code === 'IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED') continue
    if (reply.error.verdict === 'missing') store.ids.forget('inventory', patch.key)
    return outcomeOf(reply.error)
  }
  return { kind: 'conflict' }
}

export function stockRequest(change: Change): Request {
  const { inventoryItemId, locationId, quantity, changeFromQuantity } = change
  return {
    document: SET_QUANTITIES,
    variables: {
      input: {
        name: 'available',
        reason: 'correction',
        quantities: [{ inventoryItemId, locationId, quantity, changeFromQuantity }],
      },
      idempotencyKey: idempotencyKey(change),
    },
  }
}

function quantityOf(value: Value): number | null {
  return typeof value === 'bigint' && value >= -QUANTITY_MAX && value <= QUANTITY_MAX ? Number(value) : null
}

type Place =
  | {
      readonly kind: 'place'
      readonly inventoryItemId: string
      readonly locationId: string
      readonly available: number
    }
  | { readonly kind: 'none'; readonly by: string; readonly code: string; readonly reason: string }
  | { readonly kind: 'failed'; readonly outcome: Outcome }

/** What is available at a place, read now; `none` where the variant, the location, or the stock of the one at the other is missing. */
export async function readPlace(
  store: Store,
  resolved: Resolved,
  key: string,
  sku: string,
  location: string | undefined,
  signal: AbortSignal,
): Promise<Place> {
  const locationId = await findLocation(store, location, signal)
  if (typeof locationId !== 'string') return locationId
  let inventoryItemId = store.ids.get('inventory', key)?.id
  for (let turn = 0; turn < 2; turn++) {
    const wasKept = inventoryItemId !== undefined
    if (inventoryItemId === undefined) {
      const found = await findObject(store.api, resolved, sku, signal)
      if (found.kind === 'failed') return found
      inventoryItemId = found.kind === 'found' ? found.ids.inventoryItemId : undefined
      if (inventoryItemId === undefined)
        return { kind: 'none', by: 'variant', code: 'object-missing', reason: 'there is no variant with this SKU' }
    }
    const reply = await store.api.call(READ_LEVEL, { id: inventoryItemId, locationId }, signal)
    if (reply.kind === 'failed') return reply
    if (reply.kind === 'user-error') return { kind: 'failed', outcome: outcomeOf(reply.error) }
    if (reply.payload === null && wasKept) {
      // What was kept is gone: it may be another item by now.
      store.ids.forget('inventory', key)
      inventoryItemId = undefined
      continue
    }
    const available = availableOf(reply.payload as JsonObject | null)
    if (available === null)
      return {
        kind: 'none',
        by: '',
        code: 'ITEM_NOT_STOCKED_AT_LOCATION',
        reason: 'the variant is not stocked at this location: activate it in the store',
      }
    store.ids.keep('inventory', key, { id: inventoryItemId })
    return { kind: 'place', inventoryItemId, locationId, available }
  }
  return { kind: 'none', by: 'variant', code: 'object-missing', reason: 'the variant was removed meanwhile' }
}

function availableOf(item: JsonObject | null): number | null {
  const quantities = listAt(item, 'inventoryLevel', 'quantities')
  const available = at(
    quantities.find((each) => textAt(each, 'name') === 'available'),
    'quantity',
  )
  return typeof available === 'number' ? available : null
}

/** The id of a location: given as such, found by its name, or the only one that the store has. */
async function findLocation(
  store: Store,
  location: string | undefined,
  signal: AbortSignal,
): Promise<string | Exclude<Place, { readonly kind: 'place' }>> {
  if (location?.startsWith('gid://shopify/Location/')) return location
  const kept = store.ids.get('location', location ?? '')
  if (kept !== undefined) return kept.id
  const reply = await readLocations(store.api, signal)
  if (reply.kind === 'failed') return reply
  const matching = reply.locations.filter(({ name }) => location === undefined || name === location)
  if (matching.length === 1) {
    store.ids.keep('location', location ?? '', { id: matching[0]!.id })
    return matching[0]!.id
  }
  if (matching.length === 0)
    return { kind: 'none', by: '', code: 'location-missing', reason: 'the store has no active location of this name' }
  const error = new TributaryError(
    'destination-unsuitable',
    location === undefined
      ? 'the store has several locations: make the key [sku, location]'
      : 'several locations of the store have the same name: use their ids (gid://shopify/Location/…)',
  )
  return { kind: 'failed', outcome: { kind: 'unavailable', error } }
}

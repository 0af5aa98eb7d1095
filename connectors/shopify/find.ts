import type { Outcome } from '../destination.ts'
import type { Api } from './api.ts'
import { READ_CUSTOMER, READ_LOCATIONS, READ_PRODUCT, READ_VARIANT, SEARCH_VARIANTS } from './documents.ts'
import { metafieldOf, type Target } from './fields.ts'
import type { ObjectIds } from './id-cache.ts'
import { at, type Json, type JsonObject, listAt, textAt } from './json.ts'
import { metafieldText } from './mapping.ts'

export type FindReply =
  | { readonly kind: 'found'; readonly ids: ObjectIds; readonly object: JsonObject }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly outcome: Outcome }

/** What objects are found by, and which metafields are read with them. */
export interface Identified {
  readonly target: Target
  /** `handle`, `email`, `phone`, `sku` or `metafields.<namespace>.<key>`. */
  readonly keyField: string
  /** Not empty; with the metafield of the key. */
  readonly metafieldKeys: readonly string[]
}

/** Finds the object of a key. One request. */
export async function findObject(
  api: Api,
  { target, keyField, metafieldKeys }: Identified,
  keyPart: string,
  signal?: AbortSignal,
): Promise<FindReply> {
  const metafield = metafieldOf(keyField)
  const asked = { first: metafieldKeys.length, keys: metafieldKeys }
  if (target === 'inventory' || (target === 'variant' && metafield === undefined))
    return await findBySku(api, keyPart, asked, signal)
  const identifier: JsonObject = metafield
    ? { customId: { ...metafield, value: keyPart } }
    : { [IDENTIFIERS[keyField]!]: keyPart }
  const document = target === 'product' ? READ_PRODUCT : target === 'customer' ? READ_CUSTOMER : READ_VARIANT
  const reply = await api.call(document, { identifier, ...asked }, signal)
  if (reply.kind !== 'data') return failed(reply)
  const object = reply.payload as JsonObject | null
  // One whose identifier only looks alike is another object.
  if (object === null || (metafield && metafieldText(object, metafield) !== keyPart)) return { kind: 'none' }
  if (keyField === 'handle' && textAt(object, 'handle') !== keyPart) return { kind: 'none' }
  return found(object)
}

const IDENTIFIERS: Readonly<Record<string, string>> = { handle: 'handle', email: 'emailAddress', phone: 'phoneNumber' }

/** So many variants may share the words of a SKU before the one that is meant is not seen; more would cost more points than a request may. */
const VARIANTS_MAX = 10

async function findBySku(
  api: Api,
  sku: string,
  asked: { readonly first: number; readonly keys: readonly string[] },
  signal: AbortSignal | undefined,
): Promise<FindReply> {
  const reply = await api.call(SEARCH_VARIANTS, { query: skuQuery(sku), count: VARIANTS_MAX, ...asked }, signal)
  if (reply.kind !== 'data') return failed(reply)
  const exact = listAt(reply.payload, 'nodes').filter((node) => textAt(node, 'sku') === sku)
  if (exact.length === 0) return { kind: 'none' }
  if (exact.length === 1) return found(exact[0] as JsonObject)
  const reason = `${exact.length} variants have this SKU: a person has to say which is meant`
  return { kind: 'failed', outcome: { kind: 'rejected', code: 'key-ambiguous', reason } }
}

/** A search for exactly these words: quoted, with what ends a quotation escaped (shopify.dev, "Shopify API search syntax"). */
export function skuQuery(sku: string): string {
  return `sku:"${sku.replace(/["\\]/g, '\\$&')}"`
}

function found(object: JsonObject): FindReply {
  const productId = textAt(object, 'product', 'id')
  const inventoryItemId = textAt(object, 'inventoryItem', 'id')
  const ids = {
    id: textAt(object, 'id')!,
    ...(productId === undefined ? {} : { productId }),
    ...(inventoryItemId === undefined ? {} : { inventoryItemId }),
  }
  return { kind: 'found', ids, object }
}

function failed(reply: Exclude<Awaited<ReturnType<Api['call']>>, { readonly kind: 'data' }>): FindReply {
  if (reply.kind === 'failed') return reply
  // Queries have no user errors.
  return { kind: 'none' }
}

const LOCATIONS_PAGE = 50
/** Shopify Plus allows 200 locations; more than this is not read. */
const LOCATION_PAGES_MAX = 20

export type LocationsReply =
  | { readonly kind: 'locations'; readonly locations: readonly { readonly id: string; readonly name: string }[] }
  | { readonly kind: 'failed'; readonly outcome: Outcome }

/** All active locations of the store. */
export async function readLocations(api: Api, signal?: AbortSignal): Promise<LocationsReply> {
  const locations: { id: string; name: string }[] = []
  let after: Json = null
  for (let page = 0; page < LOCATION_PAGES_MAX; page++) {
    const reply = await api.call(READ_LOCATIONS, { first: LOCATIONS_PAGE, after }, signal)
    if (reply.kind === 'failed') return reply
    if (reply.kind === 'user-error') break
    for (const node of listAt(reply.payload, 'nodes'))
      locations.push({ id: textAt(node, 'id')!, name: textAt(node, 'name') ?? '' })
    after = at(reply.payload, 'pageInfo', 'endCursor') ?? null
    if (at(reply.payload, 'pageInfo', 'hasNextPage') !== true) break
  }
  return { kind: 'locations', locations }
}

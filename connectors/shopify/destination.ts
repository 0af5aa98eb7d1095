import { TributaryError } from '../../schemas/errors.ts'
import type { Destination, EntityMapping, Outcome, Patch } from '../destination.ts'
import { createApi } from './api.ts'
import { findObject } from './find.ts'
import { IdCache } from './id-cache.ts'
import { readPlace, setStock } from './inventory.ts'
import { keyParts, type Resolved, readObject, resolveMapping } from './mapping.ts'
import { errorOf, planStore } from './plan.ts'
import { previewPatch } from './preview.ts'
import { removeObject } from './remove.ts'
import { isMarkedDeleted, type Store, upsertObject } from './upsert.ts'

export interface ShopifyOptions {
  /** The subscriber's name: one a store. */
  readonly name: string
  /** The store: `https://<store>.myshopify.com`. */
  readonly url: string
  /** An Admin API access token. */
  readonly accessToken: string
  readonly apiVersion: string
  readonly mappings: readonly EntityMapping[]
  readonly allowAddresses: readonly string[]
  readonly connections: number
  readonly timeoutMs: number
  /** Default: twice {@link timeoutMs}. */
  readonly lateRequestMs?: number
}

/**
 * A Shopify store as a subscriber, by the GraphQL Admin API. Targets: `product`, `variant`, `customer`, `inventory`; `fields.ts` says which of
 * their fields can be mapped.
 *
 * Only stock is written by compare-and-set; all else goes as absolute values, so {@link Destination.comparesVersions} is false. No mutation
 * that replaces lists is used.
 */
export function createShopify(options: ShopifyOptions): Destination {
  const { name, apiVersion, mappings } = options
  const api = createApi(options)
  const store: Store = { api, ids: new IdCache() }
  const known = new WeakMap<EntityMapping, ReturnType<typeof resolveMapping>>()
  const resolve = (mapping: EntityMapping) => {
    let found = known.get(mapping)
    if (found === undefined) {
      found = resolveMapping(mapping)
      known.set(mapping, found)
    }
    return found
  }
  /** @throws TributaryError `destination-unsuitable` */
  const resolvedOf = (mapping: EntityMapping): Resolved => {
    const { resolved, problems } = resolve(mapping)
    if (resolved === null) throw unsuitable(name, problems)
    return resolved
  }
  const plan = async () => {
    try {
      return await planStore(api, apiVersion, mappings)
    } catch (error) {
      if (!(error instanceof TributaryError)) throw error
      throw new TributaryError(error.code, `subscriber "${name}": ${error.message}`, { cause: error.cause })
    }
  }
  const refuseMissing = async () => {
    const missing = await plan()
    if (missing.length > 0) throw unsuitable(name, missing)
  }
  const applyOne = async (mapping: EntityMapping, patch: Patch, signal: AbortSignal): Promise<Outcome> => {
    const { resolved, problems } = resolve(mapping)
    if (resolved === null) return { kind: 'unavailable', error: unsuitable(name, problems) }
    if (patch.kind === 'delete') return await removeObject(store, resolved, patch, signal)
    if (resolved.target === 'inventory') return await setStock(store, name, resolved, patch, signal)
    return await upsertObject(store, resolved, patch, signal)
  }

  return {
    comparesVersions: false,
    lateRequestMs: options.lateRequestMs ?? 2 * options.timeoutMs,
    batchMax: 1,
    plan,
    // Scopes, definitions and locations are the store's own: a person makes them.
    provision: refuseMissing,
    check: refuseMissing,
    apply: (mapping, patches, signal) => Promise.all(patches.map((patch) => applyOne(mapping, patch, signal))),
    budget: () => api.budget(),
    preview: (mapping, patch) => previewPatch(api.endpoint, name, resolvedOf(mapping), patch),
    async read(mapping, key, signal) {
      const resolved = resolvedOf(mapping)
      const parts = keyParts(resolved, key)
      if (!parts.ok) return null
      if (resolved.target === 'inventory') {
        const place = await readPlace(store, resolved, key, parts.value[0]!, parts.value[1], signal)
        if (place.kind === 'failed') throw errorOf(place.outcome)
        return place.kind === 'none' ? null : { available: BigInt(place.available) }
      }
      const found = await findObject(api, resolved, parts.value[0]!, signal)
      if (found.kind === 'failed') throw errorOf(found.outcome)
      if (found.kind === 'none' || isMarkedDeleted(resolved, found.object)) return null
      const { values, wrong } = readObject(resolved, found.object)
      if (wrong !== null)
        throw new TributaryError(
          'destination-unsuitable',
          `subscriber "${name}": ${wrong} holds something that is no value of its type: map it with the type that it has there`,
        )
      return values
    },
    async close() {
      api.close()
    },
  }
}

function unsuitable(name: string, problems: readonly string[]): TributaryError {
  return new TributaryError(
    'destination-unsuitable',
    `subscriber "${name}" does not fit its store:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
  )
}

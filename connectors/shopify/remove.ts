import type { Outcome, Removal } from '../destination.ts'
import { outcomeOf } from './answer.ts'
import { DELETE_CUSTOMER, DELETE_PRODUCT, DELETE_VARIANTS, UPDATE_PRODUCT } from './documents.ts'
import { DELETED_MARK } from './fields.ts'
import { findObject } from './find.ts'
import type { ObjectIds } from './id-cache.ts'
import { keyParts, type Resolved } from './mapping.ts'
import { isMarkedDeleted, type Request, type Store } from './upsert.ts'

/** Carries a delete out by its policy. The object is looked up each time: what an old id stands for is not deleted. */
export async function removeObject(
  store: Store,
  resolved: Resolved,
  patch: Removal,
  signal: AbortSignal,
): Promise<Outcome> {
  if (resolved.policy === 'ignore') return { kind: 'unchanged' }
  const parts = keyParts(resolved, patch.key)
  // No object can have such a key.
  if (!parts.ok) return { kind: 'unchanged' }
  store.ids.forget(resolved.target, patch.key)
  const found = await findObject(store.api, resolved, parts.value[0]!, signal)
  if (found.kind === 'failed') return found.outcome
  if (found.kind === 'none' || isMarkedDeleted(resolved, found.object)) return { kind: 'unchanged' }
  const { document, variables } = removeRequest(resolved, found.ids)
  const reply = await store.api.call(document, variables, signal)
  if (reply.kind === 'failed') return reply.outcome
  if (reply.kind === 'data' || reply.error.verdict === 'missing') return { kind: 'applied' }
  return outcomeOf(reply.error)
}

export function removeRequest({ target, policy }: Resolved, { id, productId }: ObjectIds): Request {
  if (target === 'customer') return { document: DELETE_CUSTOMER, variables: { input: { id } } }
  if (target === 'variant')
    return { document: DELETE_VARIANTS, variables: { productId: productId!, variantsIds: [id] } }
  if (policy === 'hard') return { document: DELETE_PRODUCT, variables: { input: { id } } }
  const metafields = [{ ...DELETED_MARK, type: 'boolean', value: 'true' }]
  return { document: UPDATE_PRODUCT, variables: { product: { id, status: 'ARCHIVED', metafields } } }
}

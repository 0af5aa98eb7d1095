import type { Patch, RequestPreview } from '../destination.ts'
import { stockRequest } from './inventory.ts'
import { keyParts, type Resolved, renderPatch } from './mapping.ts'
import { removeRequest } from './remove.ts'
import { createRequest, type Request, updateRequests } from './upsert.ts'

/**
 * What would be sent for an object that is there; where a full patch may make it, that request as well. Ids, and the stock that is compared with, are
 * only known when it is sent: words stand in their place.
 */
export function previewPatch(endpoint: string, subscriber: string, resolved: Resolved, patch: Patch): RequestPreview {
  const requests = requestsOf(subscriber, resolved, patch)
  const bodies = requests.map(({ document, variables }) => ({ query: document.text, variables }))
  return {
    request: `POST ${endpoint}`,
    headers: { 'content-type': 'application/json', 'x-shopify-access-token': '…' },
    body: bodies.length === 0 ? null : JSON.stringify(bodies.length === 1 ? bodies[0] : bodies, null, 2),
  }
}

function requestsOf(subscriber: string, resolved: Resolved, patch: Patch): readonly Request[] {
  const { target, mapping, policy } = resolved
  const parts = keyParts(resolved, patch.key)
  if (!parts.ok || (patch.kind === 'delete' && policy === 'ignore')) return []
  const ids = {
    id: `<id of the ${target}>`,
    productId: '<id of its product>',
    inventoryItemId: '<id of its inventory item>',
  }
  if (patch.kind === 'delete') return [removeRequest(resolved, ids)]
  if (target === 'inventory') return stockPreview(subscriber, resolved, patch, ids.inventoryItemId, parts.value[1])
  const sent = renderPatch(resolved, patch)
  if (!sent.ok) return []
  const updates = updateRequests(resolved, ids, sent.value, false)
  if (!patch.full || mapping.updateOnly || target === 'variant') return updates
  return [...updates, createRequest(resolved, parts.value[0]!, sent.value)]
}

function stockPreview(
  subscriber: string,
  { mapping }: Resolved,
  patch: Patch & { readonly kind: 'upsert' },
  inventoryItemId: string,
  location: string | undefined,
): readonly Request[] {
  const { available } = patch.fields
  if (typeof available !== 'bigint') return []
  const { document, variables } = stockRequest({
    subscriber,
    entity: mapping.entity.name,
    key: patch.key,
    version: patch.version,
    quantity: Number(available),
    changeFromQuantity: 0,
    inventoryItemId,
    locationId: location ?? '<id of the only location>',
    attempt: 0,
    nonce: null,
  })
  const { name, reason } = variables.input as { readonly name: string; readonly reason: string }
  const quantities = [
    {
      inventoryItemId,
      locationId: location ?? '<id of the only location>',
      quantity: Number(available),
      changeFromQuantity: '<what is available when it is sent>',
    },
  ]
  return [
    {
      document,
      variables: { input: { name, reason, quantities }, idempotencyKey: '<made of the change and that quantity>' },
    },
  ]
}

import { createHash } from 'node:crypto'
import type { Version } from '../../schemas/version.ts'

export interface Change {
  readonly subscriber: string
  readonly entity: string
  readonly key: string
  readonly version: Version
  readonly quantity: number
  readonly changeFromQuantity: number
  readonly inventoryItemId: string
  readonly locationId: string
  /** 0; one more for each key whose first use is known to have failed. */
  readonly attempt: number
  /** Makes the key one of its own; null for one that is the same whenever the same change is sent. */
  readonly nonce: string | null
}

/**
 * A UUID (version 8, RFC 9562) for one change of stock: the same for a retry, in whatever process, unless a nonce makes it new. Everything that the request says is part
 * of it, the compare value too: Shopify refuses a key that comes again with other parameters, so a change that is tried again after a stale
 * compare value is a request of its own.
 */
export function idempotencyKey(change: Change): string {
  const { version } = change
  const said = [
    change.subscriber,
    change.entity,
    change.key,
    `${version.epoch}/${version.position}/${version.ordinal}`,
    change.inventoryItemId,
    change.locationId,
    String(change.quantity),
    String(change.changeFromQuantity),
    String(change.attempt),
    change.nonce ?? '',
  ]
  const bytes = createHash('sha256').update(JSON.stringify(said)).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

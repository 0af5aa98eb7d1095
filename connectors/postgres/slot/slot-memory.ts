import { type Told, UNTOLD } from './retention.ts'

/**
 * What was told of a slot already. Kept by the process over all attempts of a capture: an outage of Kafka starts capture again and again,
 * which is no reason to repeat a warning.
 */
export interface SlotMemory {
  retention: Told
  /** That the last look failed. */
  unwatched: boolean
  /** Whether the slot is a failover slot, if it should be. */
  failover: boolean
  /** Why heartbeats cannot be sent: the kinds of errors since the last one that was. */
  readonly heartbeats: Set<string>
}

export function newSlotMemory(): SlotMemory {
  return { retention: UNTOLD, unwatched: false, failover: false, heartbeats: new Set() }
}

import { compareVersions, ORDINAL_MAX, SNAPSHOT_ORDINAL, type Version } from '../../schemas/version.ts'

/** What is known of a partition when it is decided whether deletes may have been missed. Times in ms. */
export interface SweepCircumstances {
  /** How long ago its deletes were last known to be seen, by the ledger's clock; null when the ledger has nothing of it. */
  readonly seenAgoMs: number | null
  /** How long the topic keeps a delete, at least. */
  readonly deleteRetentionMs: number
  /** Whether this subscriber's group has committed an offset of it before this process began. */
  readonly wasDelivered: boolean
  /** Whether the destination can list the keys that it has. */
  readonly listsKeys: boolean
}

/**
 * - `seen`: nothing can be missed
 * - `new`: nothing was delivered here yet, so there is nothing to be missed. What such a subscriber has is its own: it is not touched
 * - `sweep`: deletes may have been missed; `by` says whose keys are compared with the topic's
 * - `unknown`: deletes may have been missed, and nobody can say what the subscriber has
 */
export type SweepDecision =
  | { readonly kind: 'seen' | 'new' | 'unknown' }
  | { readonly kind: 'sweep'; readonly by: 'ledger' | 'destination' }

/** A sweep needs time itself: it begins before the first delete may be gone. */
const SAFE_SHARE = 0.9

export function decideSweep(circumstances: SweepCircumstances): SweepDecision {
  const { seenAgoMs, deleteRetentionMs, wasDelivered, listsKeys } = circumstances
  if (seenAgoMs !== null)
    return seenAgoMs > SAFE_SHARE * deleteRetentionMs ? { kind: 'sweep', by: 'ledger' } : { kind: 'seen' }
  if (!wasDelivered) return { kind: 'new' }
  return listsKeys ? { kind: 'sweep', by: 'destination' } : { kind: 'unknown' }
}

/** What is known of a key that the subscriber has, after the topic was read to its end. */
export interface SweptKey {
  /** What was last applied, or the version of a newer dead letter that waits; null when the ledger does not have the key. */
  readonly applied: Version | null
  /** The version of its last record on the topic; null when it has none there, or it cannot be read. */
  readonly last: Version | null
  /** The newest version of all keys of the partition; null when none can be read. */
  readonly newest: Version | null
}

/**
 * The version under which a key is deleted that the topic does not have, or ends with a delete; null when it is better left alone. It has to
 * be newer than what the subscriber has, and older than whatever may still come: the key may be made anew at any time, and the
 * gate then lets the later one through, in whatever order the two arrive.
 * - The topic still has the delete: its own version. Where the ledger is ahead of it, the topic is not to be believed.
 * - The delete is gone from the topic, and the ledger has the key: the next ordinal. The true delete was newer than what was applied or
 *   given up, so at least that, and a letter that is tried again is older; what comes after it is newer still.
 * - Only the destination has it: the newest version of the partition. What was applied and what deleted it came before that, and
 *   what makes the key anew comes after. Rows of one snapshot share their version, and one of them may still be under way: then the last one
 *   before it.
 */
export function sweepVersion({ applied, last, newest }: SweptKey): Version | null {
  if (last !== null) return applied === null || compareVersions(last, applied) > 0 ? last : null
  if (applied !== null) return applied.ordinal < ORDINAL_MAX ? { ...applied, ordinal: applied.ordinal + 1 } : null
  if (newest === null || newest.ordinal !== SNAPSHOT_ORDINAL) return newest
  return newest.position === 0n ? null : { ...newest, position: newest.position - 1n, ordinal: ORDINAL_MAX }
}

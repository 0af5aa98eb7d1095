import { packVersion } from '../../consumers/ledger/entry.ts'
import type { StoredEntry } from '../../consumers/ledger/stored-entry.ts'
import type { DeadLetterHead } from '../../schemas/dead-letter.ts'
import type { Version } from '../../schemas/version.ts'

/**
 * Where one subscriber stands with one key:
 * - `applied`: it has the newest version, or the delete
 * - `waiting`: the group has not come to the record
 * - `in flight`: a request is under way, or was when its member ended
 * - `parked`: it failed by itself, and is tried again soon
 * - `retrying`, `dead`: a dead letter of it is open
 * - `uncertain`: the newest version was sent, and what the subscriber holds is not known for sure: a full patch follows with the next record
 * - `passed over`: the group has finished the record and the ledger has an older version: the subscriber has a newer one by itself, the letter was
 *   discarded, or its entry is gone
 * - `nothing`: the topic has no record of the key
 */
export type Standing =
  | 'applied'
  | 'waiting'
  | 'in flight'
  | 'parked'
  | 'retrying'
  | 'dead'
  | 'uncertain'
  | 'passed over'
  | 'nothing'

export interface Known {
  /** The newest record of the key; null when the topic has none. */
  readonly published: { readonly version: Version; readonly offset: bigint } | null
  /** The group's offset in the record's partition; null when it never committed. */
  readonly committed: bigint | null
  readonly stored: StoredEntry | null
  readonly letter: DeadLetterHead | null
}

/** One word for what is known. Pure. */
export function standingOf({ published, committed, stored, letter }: Known): Standing {
  if (letter !== null) return letter.state
  if (published === null) return 'nothing'
  const entry = stored?.entry
  const isThere = entry !== undefined && entry.state !== 'none' && stored!.version >= packVersion(published.version)
  if (isThere && !entry.uncertain) return 'applied'
  if (entry !== undefined && entry.attempts > 0) return 'parked'
  if (stored?.inFlight) return 'in flight'
  if (isThere) return 'uncertain'
  return committed === null || published.offset >= committed ? 'waiting' : 'passed over'
}

import type { EntityMapping, Patch } from '../connectors/destination.ts'
import type { Change } from '../schemas/delta.ts'
import type { Value } from '../schemas/field-type.ts'
import type { Fingerprinter, Fingerprints } from './fingerprint.ts'
import type { LedgerEntry } from './ledger/entry.ts'

/** What is to be sent for a change, and what the ledger is to say once it has taken effect. */
export interface PatchPlan {
  /** null when the subscriber already is as the change wants it: nothing is sent. */
  readonly patch: Patch | null
  /** Whether the patch carries every mapped field that is known. */
  readonly full: boolean
  readonly state: 'live' | 'deleted'
  readonly fingerprints: Fingerprints
}

/**
 * Computes the patch from the ledger, not from what the record says has changed: the mapped fields whose value differs from what was last
 * applied. So a gap left by compaction or coalescing is healed by the next record, and a field that was mapped later is filled in.
 * The patch is full where the ledger does not know what the destination holds: never applied, deleted, uncertain, or told `absent`.
 */
export function planPatch(
  mapping: EntityMapping,
  fingerprinter: Fingerprinter,
  entry: LedgerEntry,
  change: Change,
  mustBeFull: boolean,
): PatchPlan {
  const { key, version } = change
  if (change.op === 'delete')
    return { patch: { kind: 'delete', key, version }, full: true, state: 'deleted', fingerprints: new Map() }

  const full = mustBeFull || entry.state !== 'live' || entry.uncertain
  const fields: Record<string, Value> = {}
  // Where the ledger does not know what the destination holds, it knows nothing of the fields that this record lacks either.
  const fingerprints = new Map(full ? [] : entry.fingerprints)
  let patched = 0
  for (const { to, from } of mapping.fields) {
    const value = change.after[from]
    // A field that the record does not have is unknown: it stays as it is, and so does what the ledger says of it.
    if (value === undefined) continue
    const id = fingerprinter.idOf(to)
    const fingerprint = fingerprinter.fingerprint(to, value)
    if (full || fingerprints.get(id) !== fingerprint) {
      fields[to] = value
      patched++
    }
    fingerprints.set(id, fingerprint)
  }
  const patch: Patch | null = patched === 0 && !full ? null : { kind: 'upsert', key, version, full, fields }
  return { patch, full, state: 'live', fingerprints }
}

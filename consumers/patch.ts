import { type EntityMapping, type MappedField, type Patch, TransformRefused } from '../connectors/destination.ts'
import type { Change, Claim, Delta } from '../schemas/delta.ts'
import { TributaryError } from '../schemas/errors.ts'
import type { FieldType, Value } from '../schemas/field-type.ts'
import type { Fingerprinter, Fingerprints } from './fingerprint.ts'
import type { LedgerEntry } from './ledger/entry.ts'

/** A field of a patch whose value is held by reference, and is fetched before the patch is sent. */
export interface ClaimedField {
  readonly to: string
  readonly type: FieldType
  readonly claim: Claim
}

/** What is to be sent for a change, and what the ledger is to say once it has taken effect. */
export interface PatchPlan {
  /** null when the subscriber already is as the change wants it: nothing is sent. */
  readonly patch: Patch | null
  /** The patch's fields that are not in it yet. */
  readonly claimed: readonly ClaimedField[]
  /** Whether the patch carries every mapped field that is known. */
  readonly full: boolean
  readonly state: 'live' | 'deleted'
  readonly fingerprints: Fingerprints
}

/**
 * Computes the patch from the ledger, not from what the record says has changed: the mapped fields whose value differs from what was last
 * applied. So a gap left by compaction or coalescing is healed by the next record, and a field that was mapped later is filled in.
 * The patch is full where the ledger does not know what the destination holds: never applied, deleted, uncertain, or told `absent`.
 * @throws TributaryError `transform-refused`: the record is at fault
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
    return {
      patch: { kind: 'delete', key, version, tag: entry.uncertain || mustBeFull ? null : entry.tag },
      claimed: NONE,
      full: true,
      state: 'deleted',
      fingerprints: new Map(),
    }

  const full = mustBeFull || entry.state !== 'live' || entry.uncertain
  const fields: Record<string, Value> = {}
  // Where the ledger does not know what the destination holds, it knows nothing of the fields that this record lacks either.
  const fingerprints = new Map(full ? [] : entry.fingerprints)
  let patched = 0
  let claimed: ClaimedField[] | undefined
  for (const field of mapping.fields) {
    const { to, type } = field
    const value = mappedValue(field, change)
    const claim = value === undefined && field.transform === null ? change.claims[field.from[0]!] : undefined
    // A field that the record does not have is unknown: it stays as it is, and so does what the ledger says of it.
    if (value === undefined && claim === undefined) continue
    const id = fingerprinter.idOf(to)
    const fingerprint =
      claim === undefined ? fingerprinter.fingerprint(to, value!) : fingerprinter.claimFingerprint(to, claim.sha256)
    if (full || fingerprints.get(id) !== fingerprint) {
      if (claim === undefined) fields[to] = value!
      else {
        claimed ??= []
        claimed.push({ to, type, claim })
      }
      patched++
    }
    fingerprints.set(id, fingerprint)
  }
  const patch: Patch | null =
    patched === 0 && !full ? null : { kind: 'upsert', key, version, full, fields, tag: full ? null : entry.tag }
  return { patch, claimed: claimed ?? NONE, full, state: 'live', fingerprints }
}

const NONE: readonly ClaimedField[] = []

/** What a destination field is to be; undefined where the record does not say, or refers to it. */
function mappedValue({ to, from, transform }: MappedField, { after, claims }: Delta): Value | undefined {
  if (transform === null) return after[from[0]!]
  const values: Value[] = []
  for (const name of from) {
    const value = after[name]
    if (value === undefined && claims[name] !== undefined)
      throw refused(to, `field ${name} is too large for a transform: it is in the blob store`)
    if (value === undefined) return undefined
    values.push(value)
  }
  try {
    return transform(values)
  } catch (error) {
    // A transform of the user's own may fail in any way; what it says may hold values.
    throw refused(to, error instanceof TransformRefused ? error.message : 'the transform failed')
  }
}

function refused(to: string, reason: string): TributaryError {
  return new TributaryError('transform-refused', `${to}: ${reason}`)
}

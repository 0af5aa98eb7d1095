import type { Destination, EntityMapping, RequestPreview } from '../../connectors/destination.ts'
import { createFingerprinter } from '../../consumers/fingerprint.ts'
import { type LedgerEntry, packVersion, parseAnswer } from '../../consumers/ledger/entry.ts'
import type { StoredEntry } from '../../consumers/ledger/stored-entry.ts'
import { planPatch } from '../../consumers/patch.ts'
import type { Change } from '../../schemas/delta.ts'
import { maskPatch } from './mask-patch.ts'

/** What would be sent for a key, and why. */
export interface Preview {
  /** null when nothing would be sent: the subscriber has this version, or nothing differs. */
  readonly patch: PreviewedPatch | null
  /** Why nothing would be sent, or why the patch is full; null for a patch of what differs. */
  readonly reason: string | null
  /** As the destination would send it; null where it has no requests to show. */
  readonly request: RequestPreview | null
}

export interface PreviewedPatch {
  readonly kind: 'upsert' | 'delete'
  readonly full: boolean
  /** Destination fields, those that are fetched from the blob store included. */
  readonly fields: readonly string[]
  readonly masked: readonly string[]
  readonly leftOut: readonly string[]
  readonly fromBlobStore: readonly string[]
}

export interface PreviewOptions {
  readonly fingerprintKey: string
  readonly showPersonal: boolean
  /** The full patch, whatever the ledger says. */
  readonly full: boolean
}

/** What the gate answers for a key that has no entry. */
const NOTHING_KNOWN = parseAnswer(`gnc${'0'.repeat(14)}0`)

/**
 * Computes what delivery would send for a change, with what the ledger says now. Asks nobody.
 * @throws TributaryError `transform-refused`: a transform cannot make a value of this record
 */
export function previewChange(
  mapping: EntityMapping,
  change: Change,
  stored: StoredEntry | null,
  destination: Pick<Destination, 'preview'>,
  { fingerprintKey, showPersonal, full }: PreviewOptions,
): Preview {
  const isThere =
    stored !== null &&
    !stored.entry.uncertain &&
    stored.entry.state !== 'none' &&
    stored.version >= packVersion(change.version)
  if (isThere && !full) return { patch: null, reason: 'the subscriber has this version, or a newer one', request: null }
  const entry = stored?.entry ?? NOTHING_KNOWN
  const fingerprinter = createFingerprinter(fingerprintKey, mapping.fields)
  const plan = planPatch(mapping, fingerprinter, entry, change, full)
  if (plan.patch === null)
    return { patch: null, reason: 'the subscriber already is so in every mapped field', request: null }
  const fromBlobStore = plan.claimed.map(({ to }) => to)
  const { patch, masked, leftOut } = showPersonal
    ? { patch: plan.patch, masked: [], leftOut: [] }
    : maskPatch(mapping, plan.patch)
  const sent = plan.patch.kind === 'upsert' ? Object.keys(plan.patch.fields) : []
  return {
    patch: {
      kind: plan.patch.kind,
      full: plan.full,
      fields: [...sent, ...fromBlobStore],
      masked,
      leftOut,
      fromBlobStore,
    },
    reason: plan.patch.kind === 'upsert' && plan.full ? whyFull(entry, full) : null,
    request: destination.preview?.(mapping, patch) ?? null,
  }
}

function whyFull({ state, uncertain }: LedgerEntry, full: boolean): string {
  if (full) return 'it was asked for'
  if (state === 'none') return 'nothing was applied yet'
  if (state === 'deleted') return 'it was deleted there'
  return uncertain ? 'it is not certain what the subscriber has' : 'it is the first'
}

import { isDeepStrictEqual } from 'node:util'
import type { EntityMapping, MappedField, Patch } from '../../../connectors/destination.ts'
import { parseText } from '../../../connectors/http/json-values.ts'
import type { Fingerprinter, Fingerprints } from '../../../consumers/fingerprint.ts'
import { type LedgerEntry, parseAnswer } from '../../../consumers/ledger/entry.ts'
import { type ClaimedField, planPatch } from '../../../consumers/patch.ts'
import type { Change, Claim } from '../../../schemas/delta.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import type { FieldType, Value } from '../../../schemas/field-type.ts'

/** What a refused record wants of a destination field, beside what the subscriber has there. */
export interface FieldDifference {
  readonly field: string
  readonly type: FieldType
  readonly personal: boolean
  /** undefined where the record does not say, or says it by reference. */
  readonly wanted: Value | undefined
  readonly wantedClaim: Claim | null
  /** undefined where it is not known. */
  readonly has: Value | undefined
  /** null where it is not known. */
  readonly differs: boolean | null
}

/** What a refused record would do at the subscriber. */
export type Wanted =
  | { readonly kind: 'upsert'; readonly fields: readonly FieldDifference[] }
  | { readonly kind: 'delete' }
  /** The mapping cannot make its values. */
  | { readonly kind: 'refused'; readonly reason: string }

/** What the subscriber has of an object, by its own word; null when it has none. */
export type AtSubscriber = Readonly<Record<string, Value>> | null

/** The ledger knows nothing: state none, certain, no failures. A patch that is planned from it is full. */
const NOTHING_KNOWN = parseAnswer(`gnc${'0'.repeat(14)}0`)

/**
 * Compares a refused record with what the subscriber has, field by field. Pure.
 * @param entry what the ledger says was last applied; null for nothing, undefined where it did not answer
 * @param has by the subscriber's own word; undefined where it cannot be asked: then the ledger is believed, which has fingerprints alone
 */
export function compare(
  mapping: EntityMapping,
  fingerprinter: Fingerprinter,
  change: Change,
  entry: LedgerEntry | null | undefined,
  has: AtSubscriber | undefined,
): Wanted {
  let plan: {
    readonly patch: Patch | null
    readonly claimed: readonly ClaimedField[]
    readonly fingerprints: Fingerprints
  }
  try {
    plan = planPatch(mapping, fingerprinter, NOTHING_KNOWN, change, true)
  } catch (error) {
    if (error instanceof TributaryError && error.code === 'transform-refused')
      return { kind: 'refused', reason: error.message }
    throw error
  }
  const { patch, claimed, fingerprints } = plan
  if (patch?.kind !== 'upsert') return { kind: 'delete' }
  const claims = new Map(claimed.map(({ to, claim }) => [to, claim]))
  const fields = mapping.fields.map((field): FieldDifference => {
    const { to, type } = field
    const wantedClaim = claims.get(to) ?? null
    const wanted = patch.fields[to]
    const fingerprint = fingerprints.get(fingerprinter.idOf(to))
    const isSaid = wanted !== undefined || wantedClaim !== null
    return {
      field: to,
      type,
      personal: isPersonal(mapping, field),
      wanted,
      wantedClaim,
      has: has?.[to],
      // A field that the record does not have stays as it is.
      differs: isSaid
        ? differs(fingerprinter, field, wantedClaim, fingerprint, entry, has) && !isSameJson(type, wanted, has?.[to])
        : false,
    }
  })
  return { kind: 'upsert', fields }
}

function differs(
  fingerprinter: Fingerprinter,
  { to }: MappedField,
  claim: Claim | null,
  wanted: string | undefined,
  entry: LedgerEntry | null | undefined,
  has: AtSubscriber | undefined,
): boolean | null {
  if (has === null) return true
  if (has !== undefined && claim === null) {
    const value = has[to]
    return value === undefined ? null : fingerprinter.fingerprint(to, value) !== wanted
  }
  if (entry === undefined) return null
  if (entry === null || entry.state !== 'live') return true
  const applied = entry.fingerprints.get(fingerprinter.idOf(to))
  // What was never applied to it is not known to be there.
  return applied === undefined ? null : applied !== wanted
}

/** Two texts of one document: a subscriber may write it with other blanks and another order of names than the source. */
function isSameJson({ kind }: FieldType, a: Value | undefined, b: Value | undefined): boolean {
  if (kind !== 'json' || typeof a !== 'string' || typeof b !== 'string') return false
  try {
    return isDeepStrictEqual(parseText(a), parseText(b))
  } catch {
    // What is no JSON is compared as text, and was.
    return false
  }
}

/** A value that is made of a personal one is personal. */
function isPersonal({ entity }: EntityMapping, { from }: MappedField): boolean {
  return entity.fields.some(({ name, personal }) => personal && from.includes(name))
}

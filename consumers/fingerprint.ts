import { createHmac, hash } from 'node:crypto'
import type { MappedField } from '../connectors/destination.ts'
import { TributaryError } from '../schemas/errors.ts'
import type { Value } from '../schemas/field-type.ts'

/** 66 bits in base64: what the ledger keeps instead of a value. */
const FINGERPRINT_CHARS = 11
/** 30 bits, also in base64. */
const FIELD_ID_CHARS = 5
const ENTRY_CHARS = FIELD_ID_CHARS + FINGERPRINT_CHARS

/**
 * What a subscriber's object was last made to be: destination field id → fingerprint.
 * Keyed, because a plain hash of a phone number or a tax id is found by trying them all.
 */
export type Fingerprints = ReadonlyMap<string, string>

export interface Fingerprinter {
  /** The id under which a destination field's fingerprint is kept. */
  idOf(field: string): string
  fingerprint(field: string, value: Value): string
  /** Of a value held by reference, from the hash of its content: without fetching it. */
  claimFingerprint(field: string, sha256: string): string
}

/**
 * @param secret at least 32 characters; another secret makes every fingerprint differ, which costs one full patch a key
 * @throws TributaryError `declaration-invalid` when two field names have the same id (rename one)
 */
export function createFingerprinter(secret: string, fields: readonly MappedField[]): Fingerprinter {
  const ids = new Map<string, string>()
  const taken = new Map<string, string>()
  for (const { to } of fields) {
    const id = createHmac('sha256', 'tributary field').update(to).digest('base64').slice(0, FIELD_ID_CHARS)
    const other = taken.get(id)
    if (other !== undefined)
      throw new TributaryError('declaration-invalid', `the fields ${other} and ${to} cannot be told apart: rename one`)
    taken.set(id, to)
    ids.set(to, id)
  }
  const key = createHmac('sha256', secret).update('tributary fingerprint').digest('base64')
  // One call for each field of each patch. The key before the text is as good as HMAC with this function, whose output is shorter than
  // its state, so that it cannot be continued by who does not know the key; and it takes a third of the time.
  const hashed = (field: string, form: string) =>
    hash(KEYED_HASH, `${key}${field}\0${form}`, 'base64').slice(0, FINGERPRINT_CHARS)
  // Most columns of a wide table are null or the same in row after row: the last short form of each field is kept with its fingerprint.
  const last = new Map(fields.map(({ to }) => [to, { form: '', fingerprint: '' }]))
  const keyed = (field: string, form: string) => {
    const kept = form.length <= KEPT_FORM_CHARS ? last.get(field) : undefined
    if (kept === undefined) return hashed(field, form)
    if (kept.form !== form) {
      kept.fingerprint = hashed(field, form)
      kept.form = form
    }
    return kept.fingerprint
  }
  return {
    idOf: (field) => ids.get(field)!,
    fingerprint: (field, value) => keyed(field, formOf(value)),
    // No other form begins with c. A value that was inline before and is claimed now is sent once more, and that is all.
    claimFingerprint: (field, sha256) => keyed(field, `c${sha256}`),
  }
}

const KEYED_HASH = 'sha512-256'
/** Longer forms are not kept: they rarely come twice. */
const KEPT_FORM_CHARS = 64

/** A value as text so that no two different values look the same. */
function formOf(value: Value): string {
  if (value === null) return '0'
  if (typeof value === 'string') return `s${value.length}:${value}`
  if (typeof value === 'bigint') return `i${value};`
  if (typeof value === 'number') return Object.is(value, -0) ? 'n-0;' : `n${value};`
  if (typeof value === 'boolean') return value ? 't' : 'f'
  if (Buffer.isBuffer(value)) return `b${value.length}:${value.toString('base64')}`
  const elements = value as readonly Value[]
  return `a${elements.length}:${elements.map(formOf).join('')}`
}

/** Fingerprints as the ledger stores them: field id and fingerprint, one after the other. */
export function packFingerprints(fingerprints: Fingerprints): string {
  let packed = ''
  for (const [id, fingerprint] of fingerprints) packed += id + fingerprint
  return packed
}

/** The inverse of {@link packFingerprints}. What does not divide evenly is taken as nothing known. */
export function unpackFingerprints(packed: string): Fingerprints {
  const fingerprints = new Map<string, string>()
  if (packed.length % ENTRY_CHARS !== 0) return fingerprints
  for (let at = 0; at < packed.length; at += ENTRY_CHARS)
    fingerprints.set(packed.slice(at, at + FIELD_ID_CHARS), packed.slice(at + FIELD_ID_CHARS, at + ENTRY_CHARS))
  return fingerprints
}

import { createHmac } from 'node:crypto'
import type { MappedField } from '../connectors/destination.ts'
import { TributaryError } from '../schemas/errors.ts'
import type { Value } from '../schemas/field-type.ts'

/** 66 bits of an HMAC in base64: what the ledger keeps instead of a value. */
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
  return {
    idOf: (field) => ids.get(field)!,
    fingerprint: (field, value) => {
      const hmac = createHmac('sha256', secret)
      hmac.update(`${field}\0`)
      feed(hmac, value)
      return hmac.digest('base64').slice(0, FINGERPRINT_CHARS)
    },
  }
}

/** Feeds a value so that no two different values look the same. */
function feed(hmac: ReturnType<typeof createHmac>, value: Value): void {
  if (value === null) hmac.update('0')
  else if (typeof value === 'string') hmac.update(`s${Buffer.byteLength(value)}:`).update(value)
  else if (typeof value === 'bigint') hmac.update(`i${value};`)
  else if (typeof value === 'number') hmac.update(Object.is(value, -0) ? 'n-0;' : `n${value};`)
  else if (typeof value === 'boolean') hmac.update(value ? 't' : 'f')
  else if (Buffer.isBuffer(value)) hmac.update(`b${value.length}:`).update(value)
  else {
    hmac.update(`a${value.length}:`)
    for (const element of value as readonly Value[]) feed(hmac, element)
  }
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

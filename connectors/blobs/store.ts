import type { Claim } from '../../schemas/delta.ts'
import { TributaryError } from '../../schemas/errors.ts'

/**
 * The contract of a store of large values. A blob is named by the SHA-256 of its bytes, so one name has one content for ever: writing
 * it twice is writing it once, and whoever reads can tell whether it is whole. No name or path from a record is ever used.
 *
 * Each operation ends within a bound and is tried again a few times where that may help.
 * @throws TributaryError `blob-store-unreachable` from every operation
 */
export interface BlobStore {
  /** Where a blob lies, for whoever reads the topics without tributary. */
  uriOf(sha256: string): string

  /**
   * Makes sure that the store durably holds the blob and counts it as new: a reference renews, so that {@link remove} lets it be.
   * To be called, and waited for, before a record refers to the blob.
   * @param chunks the bytes; asked for anew at each try
   */
  put(sha256: string, bytes: number, chunks: () => Iterable<Buffer>, signal?: AbortSignal): Promise<void>

  /**
   * The bytes of a claim, checked against its hash and size.
   * @throws TributaryError `blob-missing`, `blob-corrupt` (dead-letter)
   */
  get(claim: Claim, signal?: AbortSignal): Promise<Buffer>

  /** Every blob, in no order. */
  list(): AsyncIterable<StoredBlob>

  /** Removes a blob unless it was renewed at or after `ifNotRenewedSinceMs`, which is looked at again at the last moment. */
  remove(sha256: string, ifNotRenewedSinceMs: number): Promise<'removed' | 'renewed' | 'absent'>

  /** What is missing before the store can be used, in words; empty when nothing is. */
  plan(): Promise<readonly string[]>

  /** Makes what {@link plan} lists. Idempotent. */
  provision(): Promise<void>
}

export interface StoredBlob {
  readonly sha256: string
  readonly bytes: number
  /** When it was last written or renewed, by the store's clock. */
  readonly renewedAtMs: number
}

/** PostgreSQL holds no larger value; a claim that says more is not one of ours. */
export const BLOB_BYTES_MAX = 1024 * 1024 * 1024

const SHA256 = /^[0-9a-f]{64}$/

/** Whether a text can be the name of a blob: nothing else ever becomes part of a path. */
export function isBlobName(text: string): boolean {
  return SHA256.test(text)
}

/** @throws TributaryError `blob-corrupt` when a claim from a record cannot be one of ours */
export function requireClaim({ sha256, bytes }: Claim): number {
  if (!isBlobName(sha256) || bytes < 0n || bytes > BigInt(BLOB_BYTES_MAX))
    throw new TributaryError('blob-corrupt', 'a claim has no SHA-256, or a size that no blob can have', {
      cause: new Error('not a claim'),
    })
  return Number(bytes)
}

export function unreachable(what: string, cause: unknown): TributaryError {
  return new TributaryError('blob-store-unreachable', `${what}. It is tried again; nothing is sent meanwhile`, {
    cause,
  })
}

export function missing(uri: string): TributaryError {
  return new TributaryError('blob-missing', `the blob store does not have ${uri}`, { cause: new Error('no such blob') })
}

export function corrupt(uri: string, why: string): TributaryError {
  return new TributaryError('blob-corrupt', `the blob ${uri} ${why}`, { cause: new Error(why) })
}

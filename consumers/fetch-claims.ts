import { BLOB_BYTES_MAX, type BlobStore } from '../connectors/blobs/store.ts'
import type { Outcome, Patch, Upsert } from '../connectors/destination.ts'
import type { Claim } from '../schemas/delta.ts'
import { fateOf, TributaryError } from '../schemas/errors.ts'
import type { Value } from '../schemas/field-type.ts'
import { freeOwnMemory, valueOfBytes } from '../schemas/large-value.ts'
import type { ClaimedField } from './patch.ts'

/** The bytes of fetched values that one member holds at once. A single larger value is let in alone. */
export const FETCHED_BYTES_MAX = 32 * 1024 * 1024

/** Where claimed values come from, for one member: its batches share the room. */
export class ClaimFetcher {
  readonly #blobs: BlobStore | null
  #held = 0
  /** Resolves when whoever came last has its room. */
  #entering: Promise<void> = Promise.resolve()
  /** Wakes the one that waits for room. */
  #freed: () => void = () => {}

  /** @param blobs null when none is declared */
  constructor(blobs: BlobStore | null) {
    this.#blobs = blobs
  }

  /** Holds room for so many bytes while `work` goes on. In order of arrival, so that a large value is not passed by for ever. */
  async holding<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (bytes === 0) return await work()
    const before = this.#entering
    const entered = Promise.withResolvers<void>()
    this.#entering = entered.promise
    await before
    while (this.#held > 0 && this.#held + bytes > FETCHED_BYTES_MAX)
      await new Promise<void>((resolve) => {
        this.#freed = resolve
      })
    this.#held += bytes
    entered.resolve()
    try {
      return await work()
    } finally {
      this.#held -= bytes
      this.#freed()
    }
  }

  /**
   * The patch with its claimed fields filled in, one after the other.
   * @returns the outcome instead, when one cannot be had: `unavailable` while the store is away (nobody's fault, tried again), `rejected`
   * when it does not have the value whole
   */
  async fill(patch: Upsert, claimed: readonly ClaimedField[], signal: AbortSignal): Promise<Patch | Outcome> {
    const fields: Record<string, Value> = { ...patch.fields }
    try {
      for (const field of claimed) {
        const content = await this.#get(field, signal)
        const value = valueOfBytes(field.type, content)
        if (value !== content) freeOwnMemory(content)
        if (value === undefined)
          return {
            kind: 'rejected',
            code: 'blob-corrupt',
            reason: `the blob ${field.claim.uri} of field ${field.to} is not a value of type ${field.type.kind}`,
          }
        fields[field.to] = value
      }
    } catch (error) {
      if (signal.aborted) return { kind: 'unavailable', error: error as Error }
      switch (fateOf(error)) {
        case 'retry':
          return { kind: 'unavailable', error: error as Error }
        case 'dead-letter':
          return { kind: 'rejected', code: (error as TributaryError).code, reason: (error as Error).message }
        case 'stop':
          throw error
      }
    }
    return { ...patch, fields }
  }

  async #get({ claim }: ClaimedField, signal: AbortSignal): Promise<Buffer> {
    if (this.#blobs !== null) return await this.#blobs.get(claim, signal)
    throw new TributaryError(
      'blob-store-unreachable',
      `a record refers to ${claim.uri}, and no blob store is declared; declare \`blobs\` in tributary.yaml`,
      { cause: new Error('no blob store') },
    )
  }
}

/** How much room a claim takes, whatever a record says. */
export function bytesOf({ bytes }: Claim): number {
  return Math.min(Math.max(Number(bytes), 1), BLOB_BYTES_MAX)
}

/**
 * Splits patches into runs that are applied together: those without claimed fields in one, the others by how much they fetch, so that
 * no run holds more than {@link FETCHED_BYTES_MAX} unless it is of a single patch. Pure.
 */
export function runsOf<T>(patches: readonly T[], claimedBytes: (patch: T) => number): { bytes: number; run: T[] }[] {
  const plain = patches.filter((patch) => claimedBytes(patch) === 0)
  const runs = plain.length > 0 ? [{ bytes: 0, run: plain }] : []
  let last: { bytes: number; run: T[] } | undefined
  for (const patch of patches) {
    const bytes = claimedBytes(patch)
    if (bytes === 0) continue
    if (last === undefined || last.bytes + bytes > FETCHED_BYTES_MAX) {
      last = { bytes: 0, run: [] }
      runs.push(last)
    }
    last.bytes += bytes
    last.run.push(patch)
  }
  return runs
}

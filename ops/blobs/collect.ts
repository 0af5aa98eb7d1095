import type { BlobStore, StoredBlob } from '../../connectors/blobs/store.ts'

/** What happened to the blobs of a store. */
export interface Collected {
  /** Nobody refers to them, and nobody did for the time asked for: removed, or in a dry run to be removed. */
  readonly removed: number
  readonly removedBytes: number
  /** Old, and a record refers to them. */
  readonly referenced: number
  /** Too young to be looked at. */
  readonly young: number
  /** Renewed, or removed by someone else, while this went on. */
  readonly renewed: number
}

export interface CollectOptions {
  readonly store: Pick<BlobStore, 'list' | 'remove'>
  /** Blobs that were written or renewed at or after this time are not touched. */
  readonly notRenewedSinceMs: number
  /** Every value of every topic that may refer to a blob; read anew for each round. */
  readonly values: () => AsyncIterable<Buffer>
  readonly dryRun: boolean
  readonly signal: AbortSignal
  /** Candidates of one round, at about 150 bytes each; for more, the topics are read again. */
  readonly candidatesMax?: number
}

const CANDIDATES_MAX = 200_000

/**
 * Removes old blobs that no record refers to. Order is what makes it safe: the store is listed first, the topics are read after it, and the
 * time of a blob is looked at once more when it is removed. So a reference that was on a topic before is seen by the reading, and
 * whoever refers to a blob later has renewed it first, and waited for that. What is left is a record that was made ready so long ago as the
 * time asked for and is still to be published: a capture process that is cut off starts again from its last settled position, and
 * renews again.
 */
export async function collectBlobs(options: CollectOptions): Promise<Collected> {
  const { store, notRenewedSinceMs, candidatesMax = CANDIDATES_MAX, signal } = options
  const counts = { removed: 0, removedBytes: 0, referenced: 0, young: 0, renewed: 0 }
  let candidates = new Map<string, StoredBlob>()
  for await (const blob of store.list()) {
    signal.throwIfAborted()
    if (blob.renewedAtMs >= notRenewedSinceMs) counts.young++
    else candidates.set(blob.sha256, blob)
    if (candidates.size < candidatesMax) continue
    await collectRound(options, candidates, counts)
    candidates = new Map()
  }
  if (candidates.size > 0) await collectRound(options, candidates, counts)
  return counts
}

type Counts = { -readonly [Count in keyof Collected]: number }

async function collectRound(
  options: CollectOptions,
  candidates: Map<string, StoredBlob>,
  counts: Counts,
): Promise<void> {
  const { store, notRenewedSinceMs, values, dryRun, signal } = options
  for await (const value of values())
    for (const name of namesIn(value)) if (candidates.delete(name)) counts.referenced++
  for (const { sha256, bytes } of candidates.values()) {
    signal.throwIfAborted()
    const outcome = dryRun ? 'removed' : await store.remove(sha256, notRenewedSinceMs)
    if (outcome === 'removed') {
      counts.removed++
      counts.removedBytes += bytes
    } else counts.renewed++
  }
}

/** A name of a blob has 64 of these; in a record it stands behind a length or a `/`, so it begins a run of them. */
const NAME = /[0-9a-f]{64}/g

/**
 * Every text in a value that could be the name of a blob. More than there are rather than fewer: it needs no schema, so it also reads what
 * nobody can decode, such as a dead letter. Pure.
 */
export function* namesIn(value: Buffer): Generator<string> {
  const text = value.toString('latin1')
  for (const [name] of text.matchAll(NAME)) yield name
}

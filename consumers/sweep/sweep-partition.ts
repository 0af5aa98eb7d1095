import type { Destination, EntityMapping } from '../../connectors/destination.ts'
import { KEYS_AT_ONCE, KeyPlaces } from '../../connectors/kafka/keys/key-places.ts'
import { partitionOf } from '../../connectors/kafka/murmur2.ts'
import { lengthOf, type OffsetRange, type PartitionHistory } from '../../connectors/kafka/partition-history.ts'
import { deletionHeaders } from '../../schemas/deletion.ts'
import { isFence } from '../../schemas/fence.ts'
import { recordKey, recordVersion } from '../../schemas/record-head.ts'
import { compareVersions, type Version, versionFromBytes } from '../../schemas/version.ts'
import type { Assignment } from '../assignment.ts'
import type { Engine } from '../engine.ts'
import { NO_TRIALS } from '../lanes/trials.ts'
import type { Ledger, LiveKey } from '../ledger/ledger.ts'
import { Offers } from '../resync/offers.ts'
import { sweepVersion } from './decision.ts'

/** The most keys that wait to be looked at once more, and bytes of them: then the partition is read for these. */
export const SUSPECTS_MAX = 50_000
const SUSPECT_BYTES_MAX = 8 * 1024 * 1024

export interface SweepParts {
  readonly engine: Pick<Engine, 'offer' | 'hasRoom' | 'changed'>
  readonly ledger: Pick<Ledger, 'liveKeys'>
  readonly destination: Pick<Destination, 'keys'>
  readonly history: PartitionHistory
  readonly mapping: EntityMapping
  /** How many the entity's topic has. */
  readonly partitions: number
  /** Bounds the memory, at 22 bytes a key. Default {@link KEYS_AT_ONCE}. */
  readonly keysAtOnce?: number
  /** Default {@link SUSPECTS_MAX}. */
  readonly suspectsMax?: number
}

export interface SweepResult {
  /** Keys of the subscriber that were looked at, and those of them that were deleted. */
  readonly keys: number
  readonly deleted: number
  /** Deletes that the subscriber refused: they are dead letters now. */
  readonly givenUp: number
  /** It came to its end. Not so where the partition was taken away, or its topic has no record: then nobody can say what was deleted. */
  readonly isComplete: boolean
}

/**
 * Deletes, through their lanes, the keys of one partition that the subscriber has and the topic has not. A key is deleted only when a reading
 * of the partition that began after its ledger entry was seen does not find it live at its end, by its whole name: what the ledger has from
 * a record is on the topic by then.
 * @param by whose keys are compared with the topic's; by `destination` the ledger's are, too
 * @param onProgress how many keys were looked at and deleted so far
 * @throws TributaryError `topic-missing`, `kafka-unreachable`, `ledger-unreachable`, `destination-unreachable`; the signal's reason
 */
export async function sweepPartition(
  parts: SweepParts,
  assignment: Assignment,
  by: 'ledger' | 'destination',
  onProgress: (keys: number, deleted: number) => void,
  signal: AbortSignal,
): Promise<SweepResult> {
  const { engine, history, keysAtOnce = KEYS_AT_ONCE, suspectsMax = SUSPECTS_MAX } = parts
  const { topic, partition } = assignment
  const offers = new Offers(engine, assignment, signal)
  let keys = 0
  const result = (isComplete: boolean): SweepResult => {
    const { applied: deleted, 'given-up': givenUp } = offers.settled
    return { keys, deleted, givenUp, isComplete }
  }
  const range = await history.range(topic, partition)
  if (range === null) return result(false)
  const suspects = new Suspects(parts, assignment, offers, signal)
  const places = new KeyPlaces(Math.min(keysAtOnce, lengthOf(range)))
  while (places.next()) {
    const records = await note(parts, assignment, range, places, offers, signal)
    if (records === 0 || offers.isOver) return result(false)
    for await (const known of knownKeys(parts, assignment, by, signal)) {
      for (const one of known) {
        const state = places.stateOf(Buffer.from(one.key), partition)
        if (state === 'other') continue
        keys++
        if (state === 'gone') suspects.add(one)
      }
      if (suspects.size >= suspectsMax || suspects.bytes >= SUSPECT_BYTES_MAX) await suspects.settle()
      onProgress(keys, offers.settled.applied)
      if (offers.isOver) return result(false)
    }
    await suspects.settle()
  }
  return result(await offers.finish(() => onProgress(keys, offers.settled.applied)))
}

/** @returns how many records there are */
async function note(
  { history }: SweepParts,
  { topic, partition }: Assignment,
  range: OffsetRange,
  places: KeyPlaces,
  offers: Offers,
  signal: AbortSignal,
): Promise<number> {
  let count = 0
  for await (const { records } of history.read(topic, partition, range, signal)) {
    for (const record of records) {
      if (isFence(record)) continue
      count++
      places.note(record)
    }
    if (offers.isOver) break
  }
  return count
}

/** What the subscriber has of this partition; a key may come twice. */
async function* knownKeys(
  { ledger, destination, mapping, partitions }: SweepParts,
  { scope, partition }: Assignment,
  by: 'ledger' | 'destination',
  signal: AbortSignal,
): AsyncGenerator<readonly (Pick<LiveKey, 'key'> & { readonly version: string | null })[], void, undefined> {
  yield* ledger.liveKeys(scope)
  if (by === 'ledger' || destination.keys === undefined) return
  for await (const keys of destination.keys(mapping, signal))
    yield keys.filter((key) => partitionOf(key, partitions) === partition).map((key) => ({ key, version: null }))
}

interface Suspect {
  readonly applied: Version | null
  isLive: boolean
  last: Version | null
}

/** Keys that seem to be gone, until the partition is read once more for them, by their whole names. */
class Suspects {
  readonly #parts: SweepParts
  readonly #assignment: Assignment
  readonly #offers: Offers
  readonly #signal: AbortSignal
  readonly #keys = new Map<string, Suspect>()
  #bytes = 0

  constructor(parts: SweepParts, assignment: Assignment, offers: Offers, signal: AbortSignal) {
    this.#parts = parts
    this.#assignment = assignment
    this.#offers = offers
    this.#signal = signal
  }

  get size(): number {
    return this.#keys.size
  }

  get bytes(): number {
    return this.#bytes
  }

  add({ key, version }: { readonly key: string; readonly version: string | null }): void {
    const known = this.#keys.get(key)
    if (known === undefined) this.#bytes += key.length
    const applied = version === null ? (known?.applied ?? null) : versionFromBytes(Buffer.from(version, 'hex'))
    this.#keys.set(key, { applied, isLive: false, last: null })
  }

  /** Reads the partition to where it ends now, and deletes those that it does not find. */
  async settle(): Promise<void> {
    if (this.#keys.size === 0) return
    const { topic, partition } = this.#assignment
    const range = await this.#parts.history.range(topic, partition)
    if (range === null) return
    let newest: Version | null = null
    for await (const { records } of this.#parts.history.read(topic, partition, range, this.#signal)) {
      if (this.#offers.isOver) return
      for (const record of records) {
        if (isFence(record)) continue
        const version = recordVersion(record.value, record.headers) ?? null
        if (version !== null && (newest === null || compareVersions(version, newest) > 0)) newest = version
        const suspect = this.#keys.get(recordKey(record.key) ?? '')
        if (suspect === undefined) continue
        suspect.isLive = record.value !== null
        suspect.last = version
      }
    }
    for (const [key, { applied, isLive, last }] of this.#keys) {
      const version = isLive ? null : sweepVersion({ applied, last, newest })
      if (version !== null && !(await this.#delete(key, version, range.end - 1n))) return
    }
    this.#keys.clear()
    this.#bytes = 0
  }

  async #delete(key: string, version: Version, offset: bigint): Promise<boolean> {
    const { subscriber, entity } = this.#assignment.scope
    const now = BigInt(Date.now()) * 1000n
    const place = { object: entity, position: '', transaction: null, committedAt: now, capturedAt: now }
    const source = { system: 'tributary', instance: `sweep-${subscriber}`, ...place }
    const headers = deletionHeaders({ op: 'delete', entity, key, version, source, origin: null })
    return await this.#offers.add({ key, version, value: null, headers, offset, trials: NO_TRIALS })
  }
}

import { partitionOf } from '../../../connectors/kafka/murmur2.ts'
import { createFingerprinter } from '../../../consumers/fingerprint.ts'
import type { LedgerEntry } from '../../../consumers/ledger/entry.ts'
import { valueSubject } from '../../../schemas/avro.ts'
import { createDeltaDecoder } from '../../../schemas/codec.ts'
import { parseDeletion } from '../../../schemas/deletion.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import { entityTopic } from '../../../schemas/topics.ts'
import { versionFromBytes } from '../../../schemas/version.ts'
import type { DeclaredEntity } from '../../declaration/declaration.ts'
import { loadTransforms } from '../../declaration/subscribers/custom-transforms.ts'
import { openDestination, peekLedger } from '../../process/delivery.ts'
import type { Environment } from '../../process/environment.ts'
import type { Subscriber } from '../holder.ts'
import { type AtSubscriber, compare } from './difference.ts'
import type { OpenLetter } from './letters.ts'
import type { Decoded, LedgerView, ShownLetter } from './show.ts'

/** What there is to be shown of a letter, and what could not be asked. */
export interface Examined extends Pick<ShownLetter, 'decoded' | 'wanted' | 'ledger' | 'has'> {
  readonly failure: TributaryError | null
}

/**
 * Reads the refused record, and asks the subscriber and the ledger what they have. What does not answer is left out and named.
 * @throws TributaryError `declaration-invalid` for transforms that cannot be loaded; `registry-unreachable`: without its schema nothing can be said of the record
 */
export async function examine(
  environment: Environment,
  subscriber: Subscriber,
  letter: OpenLetter,
  signal: AbortSignal,
): Promise<Examined> {
  await loadTransforms(environment.declaration)
  const decoded = await decodeRecord(environment, letter)
  const mapping = subscriber.mappings.find(({ entity }) => entity.name === letter.head.entity)
  if (decoded.kind === 'unreadable' || mapping === undefined)
    return { decoded, wanted: null, ledger: null, has: undefined, failure: null }
  const { change } = decoded
  let failure: TributaryError | null = null
  /** The answer, or undefined and a note of why there is none. */
  const ask = async <T>(question: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await question()
    } catch (error) {
      if (!(error instanceof TributaryError)) throw error
      failure ??= error
      return undefined
    }
  }
  const { partition } = letter.head
  const scope = {
    subscriber: subscriber.name,
    entity: change.entity,
    partition: partition ?? partitionOf(change.key, (mapping.entity as DeclaredEntity).partitions),
  }
  const stored = await ask(() => peekLedger(environment, scope, change.key))
  const has = await ask(() => readObject(subscriber, change.entity, change.key, signal))
  const fingerprinter = createFingerprinter(environment.declaration.ledger.fingerprintKey, mapping.fields)
  const entry = stored === undefined ? undefined : (stored?.entry ?? null)
  const wanted = compare(mapping, fingerprinter, change, entry, has)
  return { decoded, wanted, ledger: stored === undefined ? null : viewOf(stored), has, failure }
}

async function decodeRecord({ declaration, registry }: Environment, { head, record }: OpenLetter): Promise<Decoded> {
  const { entity, key } = head
  try {
    // A delete has no bytes, and a letter none but its record's.
    if (record.value === null || record.value.length === 0)
      return { kind: 'change', change: parseDeletion(entity, key, record.headers) }
    const subject = valueSubject(head.topic ?? entityTopic(declaration.name, entity))
    return { kind: 'change', change: await createDeltaDecoder(registry).decode(subject, key, record.value) }
  } catch (error) {
    if (error instanceof TributaryError && error.fate === 'dead-letter')
      return { kind: 'unreadable', problem: error.message }
    throw error
  }
}

type Stored = { readonly version: string; readonly entry: LedgerEntry } | null

function viewOf(stored: Stored): LedgerView {
  if (stored === null) return { state: 'none', version: null, uncertain: false }
  const version = versionFromBytes(Buffer.from(stored.version, 'hex'))
  // Before anything is applied an entry may only say that something is under way.
  return {
    state: stored.entry.state,
    version: version.epoch === 0n ? null : version,
    uncertain: stored.entry.uncertain,
  }
}

async function readObject(
  subscriber: Subscriber,
  entity: string,
  key: string,
  signal: AbortSignal,
): Promise<AtSubscriber | undefined> {
  const destination = openDestination(subscriber)
  try {
    const mapping = subscriber.mappings.find((one) => one.entity.name === entity)!
    return await destination.read?.(mapping, key, signal)
  } finally {
    await destination.close()
  }
}

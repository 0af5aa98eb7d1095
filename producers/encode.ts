import type { OutgoingRecord } from '../connectors/kafka/producer.ts'
import { deletionHeaders, deltaId, ID_HEADER } from '../schemas/deletion.ts'
import type { Change, Delta } from '../schemas/delta.ts'
import { TributaryError, UnencodableValue } from '../schemas/errors.ts'
import { entityTopic } from '../schemas/topics.ts'
import { clearedRecord, deadLetterRecord, type UnencodableRow } from './capture-dead-letter.ts'
import type { HydratedEvent } from './hydrate.ts'
import type { OpenDeadLetters } from './open-dead-letters.ts'
import { storedRecord } from './positions.ts'
import type { Settled } from './settle.ts'

/** What the publish queue holds. */
export type QueueItem =
  | {
      readonly kind: 'record'
      readonly record: OutgoingRecord
      readonly bytes: number
      /** Null for what is no change. */
      readonly committedAt: bigint | null
    }
  /** Everything before it may be acknowledged to the source. */
  | { readonly kind: 'settle'; readonly settled: Settled }
  /** What may be acknowledged by now is stored before anything behind it is sent. */
  | { readonly kind: 'store' }
  /** A record that must come after everything before it is durable, such as the resume state. */
  | { readonly kind: 'barrier'; readonly record: OutgoingRecord; readonly bytes: number }

export interface EncodeOptions {
  readonly prefix: string
  readonly source: string
  /** The encoder of each entity's registered schema. */
  readonly encoders: ReadonlyMap<string, (delta: Delta) => Buffer>
  readonly deadLetters: OpenDeadLetters
  readonly onUnencodable: (row: UnencodableRow) => void
}

type NoItems = readonly []
const NO_ITEMS: NoItems = []
type ClosingRow = Pick<UnencodableRow, 'entity' | 'key' | 'version' | 'source'>

/** What a record costs beside its key and value, roughly. */
const RECORD_OVERHEAD_BYTES = 100

/**
 * Turns an event into what is published for it, in order: one item almost always. A row that cannot be encoded becomes a capture dead
 * letter, and what ends one is followed by its tombstone.
 */
export function createEncode(options: EncodeOptions): (event: HydratedEvent) => QueueItem | readonly QueueItem[] {
  const topics = new Map([...options.encoders.keys()].map((entity) => [entity, entityTopic(options.prefix, entity)]))

  return (event) => {
    switch (event.kind) {
      case 'progress':
        return { kind: 'settle', settled: { position: event.position, mark: event.mark ?? null } }
      case 'settle':
        return { kind: 'store' }
      case 'state': {
        const record = storedRecord(options.prefix, options.source, event.name, event.value)
        return { kind: 'barrier', record, bytes: (record.value?.length ?? 0) + RECORD_OVERHEAD_BYTES }
      }
      case 'unencodable':
        return deadLetter(options, event)
      case 'gone':
        return cleared(options, event, true) ?? NO_ITEMS
      case 'change': {
        const encoded = encodeChange(options, topics, event.change)
        if (encoded instanceof TributaryError) return deadLetter(options, unencodable(event.change, encoded))
        const end = cleared(options, event.change, event.wasRead === true)
        return end === undefined ? encoded : [encoded, end]
      }
    }
  }
}

function encodeChange(
  options: EncodeOptions,
  topics: ReadonlyMap<string, string>,
  change: Change,
): QueueItem | TributaryError {
  const topic = topics.get(change.entity)
  const encode = options.encoders.get(change.entity)
  if (topic === undefined || encode === undefined)
    throw new TributaryError('invariant-broken', `the source sent a change of ${change.entity}, which is not declared`)
  const committedAt = change.source.committedAt
  try {
    if (change.op === 'delete') {
      const record = { topic, key: change.key, value: null, headers: deletionHeaders(change) }
      return { kind: 'record', record, bytes: change.key.length + 2 * RECORD_OVERHEAD_BYTES, committedAt }
    }
    const value = encode(change)
    const record = { topic, key: change.key, value, headers: { [ID_HEADER]: deltaId(change) } }
    return { kind: 'record', record, bytes: value.length + change.key.length + RECORD_OVERHEAD_BYTES, committedAt }
  } catch (error) {
    if (!(error instanceof TributaryError && error.code === 'value-unencodable')) throw error
    return error
  }
}

function unencodable(change: Change, error: TributaryError): UnencodableRow {
  const { entity, key, version, source } = change
  const place =
    error instanceof UnencodableValue
      ? { field: error.field, reason: error.reason }
      : { field: null, reason: error.message }
  return { entity, key, version, source, ...place }
}

/** The item for a row that cannot be encoded; none when a newer version of it is known. */
function deadLetter(options: EncodeOptions, row: UnencodableRow): QueueItem | NoItems {
  options.onUnencodable(row)
  const { committedAt } = row.source
  const since = options.deadLetters.made(row.entity, row.key, row.version, committedAt)
  if (since === null) return NO_ITEMS
  return item(deadLetterRecord(options.prefix, options.source, { ...row, since }), committedAt)
}

/** The item that ends the dead letter of a key, when it has one. It goes behind what is published for the row. */
function cleared(options: EncodeOptions, row: ClosingRow, wasRead: boolean): QueueItem | undefined {
  if (!options.deadLetters.closes(row.entity, row.key, row.version, wasRead)) return undefined
  return item(clearedRecord(options.prefix, options.source, row), row.source.committedAt)
}

function item(record: OutgoingRecord, committedAt: bigint): QueueItem {
  const bytes = (record.value?.length ?? 0) + record.key.length + RECORD_OVERHEAD_BYTES
  return { kind: 'record', record, bytes, committedAt }
}

import type { OutgoingRecord } from '../connectors/kafka/producer.ts'
import type { SourceEvent } from '../connectors/source.ts'
import { deletionHeaders, deltaId, ID_HEADER } from '../schemas/deletion.ts'
import type { Change, Delta, Provenance } from '../schemas/delta.ts'
import { TributaryError } from '../schemas/errors.ts'
import { captureDeadLetterTopic, entityTopic } from '../schemas/topics.ts'
import { formatVersion, type Version } from '../schemas/version.ts'
import { storedRecord } from './positions.ts'
import type { Settled } from './settle.ts'

/** What the publish queue holds. */
export type QueueItem =
  | {
      readonly kind: 'record'
      readonly record: OutgoingRecord
      readonly bytes: number
      readonly committedAt: bigint
    }
  /** Everything before it may be acknowledged to the source. */
  | { readonly kind: 'settle'; readonly settled: Settled }
  /** A record that must come after everything before it is durable, such as the resume state. */
  | { readonly kind: 'barrier'; readonly record: OutgoingRecord; readonly bytes: number }

export interface EncodeOptions {
  readonly prefix: string
  readonly source: string
  /** The encoder of each entity's registered schema. */
  readonly encoders: ReadonlyMap<string, (delta: Delta) => Buffer>
  readonly onUnencodable: (entity: string) => void
}

/** What a record costs beside its key and value, roughly. */
const RECORD_OVERHEAD_BYTES = 100

/** Turns a source's event into what is published for it. A row that cannot be encoded becomes a capture dead letter. */
export function createEncode(options: EncodeOptions): (event: SourceEvent) => QueueItem {
  const topics = new Map([...options.encoders.keys()].map((entity) => [entity, entityTopic(options.prefix, entity)]))

  return (event) => {
    switch (event.kind) {
      case 'progress':
        return { kind: 'settle', settled: { position: event.position, mark: event.mark ?? null } }
      case 'state': {
        const record = storedRecord(options.prefix, options.source, event.name, event.value)
        return { kind: 'barrier', record, bytes: (record.value?.length ?? 0) + RECORD_OVERHEAD_BYTES }
      }
      case 'unencodable':
        return deadLetter(options, event)
      case 'change':
        return encodeChange(options, topics, event.change)
    }
  }
}

function encodeChange(options: EncodeOptions, topics: ReadonlyMap<string, string>, change: Change): QueueItem {
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
    return deadLetter(options, { ...change, field: null, reason: error.message })
  }
}

/** What a capture dead letter holds: enough to find the row again, and no value of it but its key. */
interface UnencodableRow {
  readonly entity: string
  readonly key: string
  readonly version: Version
  readonly source: Provenance
  readonly field: string | null
  readonly reason: string
}

function deadLetter(options: EncodeOptions, row: UnencodableRow): QueueItem {
  options.onUnencodable(row.entity)
  const value = Buffer.from(
    JSON.stringify(
      {
        entity: row.entity,
        key: row.key,
        version: formatVersion(row.version),
        field: row.field,
        reason: row.reason,
        source: row.source,
      },
      (_name, part) => (typeof part === 'bigint' ? part.toString() : part),
    ),
  )
  const topic = captureDeadLetterTopic(options.prefix, options.source)
  const record = { topic, key: `${row.entity}/${row.key}`, value, headers: {} }
  return { kind: 'record', record, bytes: value.length + RECORD_OVERHEAD_BYTES, committedAt: row.source.committedAt }
}

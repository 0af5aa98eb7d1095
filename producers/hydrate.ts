import type { HydratedRow, Source, SourceEvent } from '../connectors/source.ts'
import type { Delta, Provenance } from '../schemas/delta.ts'
import { TributaryError, UnencodableValue } from '../schemas/errors.ts'
import type { Version } from '../schemas/version.ts'

type Incomplete = Extract<SourceEvent, { kind: 'change' }> & { readonly change: Delta }

/** What comes out of hydrate. */
export type HydratedEvent =
  | Exclude<SourceEvent, { kind: 'change' }>
  | (Extract<SourceEvent, { kind: 'change' }> & {
      /** It was completed by reading the row. */
      readonly wasRead?: true
    })
  | {
      /** A row that was to be read and does not exist: nothing is published for it; its delete is or will be in the stream. */
      readonly kind: 'gone'
      readonly entity: string
      readonly key: string
      readonly version: Version
      readonly source: Provenance
    }

/**
 * Completes the changes of a batch that the source sent only in part, by reading the missing fields from the source. What is read may be
 * newer than the change; then that newer change follows in the stream and finds nothing left to do.
 * @returns the same events in the same order, with `gone` in place of the changes of objects that are
 */
export async function hydrate(source: Source, events: readonly SourceEvent[]): Promise<readonly HydratedEvent[]> {
  const groups = groupIncomplete(events)
  if (groups.size === 0) return events
  const completed = new Map<SourceEvent, HydratedEvent>()
  for (const group of groups.values()) {
    const rows = await readRows(source, group)
    for (const event of group) {
      const row = rows.get(event.change.key)
      completed.set(
        event,
        row instanceof TributaryError ? unencodable(event, row) : row ? complete(event, row) : gone(event),
      )
    }
  }
  return events.map((event) => completed.get(event) ?? event)
}

type ReadRow = HydratedRow | TributaryError

/** Reads the rows of a group at once; when one of them has a value that its type cannot hold, one by one. */
async function readRows(source: Source, group: readonly Incomplete[]): Promise<Map<string, ReadRow>> {
  const { change, missing } = group[0]!
  const keys = [...new Set(group.map((event) => event.change.key))]
  const transactions = [...new Set(group.map((event) => event.change.source.transaction))]
  const read = (some: readonly string[]) => source.hydrate(change.entity, some, missing, transactions)
  try {
    return new Map(await read(keys))
  } catch (error) {
    if (!isUnencodable(error)) throw error
  }
  const rows = new Map<string, ReadRow>()
  for (const key of keys) {
    try {
      const row = (await read([key])).get(key)
      if (row) rows.set(key, row)
    } catch (error) {
      if (!isUnencodable(error)) throw error
      rows.set(key, error)
    }
  }
  return rows
}

function isUnencodable(error: unknown): error is TributaryError {
  return error instanceof TributaryError && error.code === 'value-unencodable'
}

function unencodable({ change, missing }: Incomplete, error: TributaryError): HydratedEvent {
  const { entity, key, version, source } = change
  const place =
    error instanceof UnencodableValue
      ? { field: error.field, reason: error.reason }
      : { field: missing.join(', '), reason: error.message }
  return { kind: 'unencodable', entity, key, version, source, ...place }
}

function gone({ change: { entity, key, version, source } }: Incomplete): HydratedEvent {
  return { kind: 'gone', entity, key, version, source }
}

function groupIncomplete(events: readonly SourceEvent[]): Map<string, Incomplete[]> {
  const groups = new Map<string, Incomplete[]>()
  for (const event of events) {
    if (event.kind !== 'change' || event.missing.length === 0 || event.change.op === 'delete') continue
    const name = JSON.stringify([event.change.entity, event.missing])
    const group = groups.get(name)
    if (group) group.push(event as Incomplete)
    else groups.set(name, [event as Incomplete])
  }
  return groups
}

function complete(event: Incomplete, row: Delta['after']): HydratedEvent {
  return { ...event, change: { ...event.change, after: { ...event.change.after, ...row } }, missing: [], wasRead: true }
}

import type { Source, SourceEvent } from '../connectors/source.ts'
import type { Delta } from '../schemas/delta.ts'

type Incomplete = Extract<SourceEvent, { kind: 'change' }> & { readonly change: Delta }

/**
 * Completes the changes of a batch that the source sent only in part, by reading the missing fields from the source. What is read may be
 * newer than the change; then that newer change follows in the stream and finds nothing left to do.
 * @returns the same events in the same order, without the changes of objects that are gone: their delete follows in the stream
 */
export async function hydrate(source: Source, events: readonly SourceEvent[]): Promise<readonly SourceEvent[]> {
  const groups = groupIncomplete(events)
  if (groups.size === 0) return events
  const completed = new Map<SourceEvent, SourceEvent | null>()
  for (const group of groups.values()) {
    const { change, missing } = group[0]!
    const keys = [...new Set(group.map((event) => event.change.key))]
    const transactions = [...new Set(group.map((event) => event.change.source.transaction))]
    const rows = await source.hydrate(change.entity, keys, missing, transactions)
    for (const event of group) {
      const row = rows.get(event.change.key)
      completed.set(event, row ? complete(event, row) : null)
    }
  }
  return events.flatMap((event) => {
    const replacement = completed.get(event)
    if (replacement === undefined) return [event]
    return replacement === null ? [] : [replacement]
  })
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

function complete(event: Incomplete, row: Delta['after']): SourceEvent {
  return { ...event, change: { ...event.change, after: { ...event.change.after, ...row } }, missing: [] }
}

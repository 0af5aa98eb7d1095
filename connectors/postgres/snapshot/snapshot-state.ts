import type { SourceState } from '../../source.ts'
import { type CapturedTable, type LocatedTable, objectName } from '../captured-table.ts'

/** A table as declared, or better as it stands in the catalogue. */
type Placed = CapturedTable & Partial<Pick<LocatedTable, 'places'>>

/** Whether the topic lacks rows or fields that a snapshot would bring. */
export function needsSnapshot(state: SourceState, table: Placed): boolean {
  const done = state.snapshots[table.entity.name]
  return done === undefined || placesOf(table).some((place) => !done.fields.includes(place))
}

/** Each field with the column it is read from: a field that is read from elsewhere is on the topic with other values. */
function placesOf(table: Placed): readonly string[] {
  return table.entity.fields.map(
    ({ name }) => `${name}=${objectName(table.table)}.${table.columns[name]}@${table.places?.[name] ?? ''}`,
  )
}

/** The state once the snapshot of `tables` at `point` is on the topic. */
export function withSnapshots(state: SourceState, tables: readonly Placed[], point: bigint): SourceState {
  const added = tables.map(
    (table) => [table.entity.name, { position: String(point), fields: placesOf(table) }] as const,
  )
  return { ...state, snapshots: { ...state.snapshots, ...Object.fromEntries(added) } }
}

/** The state in which an entity is to be snapshotted again. */
export function withoutSnapshot(state: SourceState, entity: string): SourceState {
  const { [entity]: _, ...snapshots } = state.snapshots
  return { ...state, snapshots }
}

/**
 * The state without entities and fields that are no longer captured: they miss changes from now on, so captured again they need a
 * snapshot.
 * @returns `state` itself when there are none
 */
export function withoutUncaptured(state: SourceState, tables: readonly Placed[]): SourceState {
  const captured = new Map(tables.map((table) => [table.entity.name, new Set(placesOf(table))]))
  let dropped = 0
  const kept = Object.entries(state.snapshots).flatMap(([entity, { position, fields }]) => {
    const places = captured.get(entity)
    const still = fields.filter((place) => places?.has(place))
    dropped += fields.length - still.length
    return places === undefined ? [] : [[entity, { position, fields: still }] as const]
  })
  if (dropped === 0 && kept.length === Object.keys(state.snapshots).length) return state
  return { ...state, snapshots: Object.fromEntries(kept) }
}

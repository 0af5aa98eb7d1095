import type { SourceState } from '../source.ts'
import type { CapturedTable } from './captured-table.ts'

/** Whether the topic lacks rows or fields that a snapshot would bring. */
export function needsSnapshot(state: SourceState, table: CapturedTable): boolean {
  const done = state.snapshots[table.entity.name]
  return done === undefined || table.entity.fields.some((field) => !done.fields.includes(field.name))
}

/** The state once the snapshot of `tables` at `point` is on the topic. */
export function withSnapshots(state: SourceState, tables: readonly CapturedTable[], point: bigint): SourceState {
  const added = tables.map(
    ({ entity }) =>
      [entity.name, { position: String(point), fields: entity.fields.map((field) => field.name) }] as const,
  )
  return { ...state, snapshots: { ...state.snapshots, ...Object.fromEntries(added) } }
}

/**
 * The state without entities that are no longer captured: they miss changes from now on, so captured again they need a snapshot.
 * @returns `state` itself when there are none
 */
export function withoutUncaptured(state: SourceState, tables: readonly CapturedTable[]): SourceState {
  const captured = new Set(tables.map((table) => table.entity.name))
  const kept = Object.entries(state.snapshots).filter(([entity]) => captured.has(entity))
  if (kept.length === Object.keys(state.snapshots).length) return state
  return { ...state, snapshots: Object.fromEntries(kept) }
}

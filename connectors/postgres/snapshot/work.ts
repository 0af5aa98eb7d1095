import type { SourceEvent, StoredState } from '../../source.ts'
import type { LocatedTable } from '../captured-table.ts'
import type { TableFacts } from '../catalog/catalog.ts'
import type { Inspection } from '../catalog/inspect.ts'
import type { Publishing } from '../catalog/publishing.ts'
import type { History } from '../slot/history.ts'
import {
  type EntityProgress,
  forgotten,
  isKnownRequest,
  neededFrom,
  parseProgress,
  progressOf,
  type SnapshotRequest,
  startNext,
  withAnswer,
  withRequest,
} from './progress.ts'

export type StateEvent = Extract<SourceEvent, { kind: 'state' }>

/** A captured table and how far its snapshots got. */
export interface TableWork {
  readonly table: LocatedTable
  readonly facts: TableFacts
  progress: EntityProgress
  /** Whether it was told that someone's lock is in the way. */
  isWaitTold?: boolean
}

/** The snapshots of a source: what is done, under way and asked for. Holds the state; decides with progress.ts. */
export interface SnapshotWork {
  /** The tables of which a snapshot is under way. */
  open(): readonly TableWork[]
  /** Whether no entity has been read as a whole yet. */
  isFirst(): boolean
  neededFrom(entity: string): bigint | undefined
  /** Takes a request in, or answers it at once with a `problem`; the states to store for it. */
  ask(request: SnapshotRequest, entity: string, problem: string | null): readonly StateEvent[]
  /** The state with which an entity is read again as a whole, from the next start on. */
  forget(entity: string): StateEvent
}

const NAME = 'snapshot/'

/** @returns the work and the states that have to be stored for it, because what was stored does not fit the declaration, the publication or the epoch */
export function openWork(
  inspection: Inspection,
  publishing: Publishing,
  history: History,
  stored: StoredState,
  nowMs: () => number,
): { readonly work: SnapshotWork; readonly changes: readonly StateEvent[] } {
  const tables = new Map<string, TableWork>()
  const changes: StateEvent[] = []
  inspection.tables.forEach((table, index) => {
    const { name } = table.entity
    const before = parseProgress(stored.values.get(NAME + name))
    // In no publication, it gets there anew, which is another way to be published.
    const now = progressOf(table, before, history.epoch, nowMs(), publishing.get(name) ?? '')
    const progress = startNext(table, now, nowMs())
    const one = { table, facts: inspection.facts[index]!, progress }
    tables.set(name, one)
    if (JSON.stringify(progress) !== JSON.stringify(before)) changes.push(progressEvent(one))
  })
  for (const name of stored.values.keys())
    if (name.startsWith(NAME) && !tables.has(name.slice(NAME.length)))
      changes.push({ kind: 'state', name, value: null })
  const all = [...tables.values()]
  return {
    changes,
    work: {
      open: () => all.filter(({ progress }) => progress.running !== null),
      isFirst: () => all.every(({ progress }) => progress.whole === null),
      neededFrom(entity) {
        const one = tables.get(entity)
        return one === undefined ? undefined : neededFrom(one.progress)
      },
      ask(request, entity, problem) {
        const one = tables.get(entity)!
        if (isKnownRequest(one.progress, request.id)) return []
        const taken = problem === null ? withRequest(one.progress, request) : one.progress
        const why = taken === 'full' ? 'too many wait already' : problem
        if (taken === 'full' || why !== null)
          one.progress = withAnswer(one.progress, { id: request.id, rows: 0, problem: why })
        else one.progress = startNext(one.table, taken, nowMs())
        return [progressEvent(one)]
      },
      forget(entity) {
        const one = tables.get(entity)!
        return progressEvent({ ...one, progress: forgotten(one.progress) })
      },
    },
  }
}

/** The event that stores how far a table got. */
export function progressEvent({ table, progress }: TableWork): StateEvent {
  return { kind: 'state', name: NAME + table.entity.name, value: progress }
}

import type { Log } from '../../connectors/kafka/client.ts'
import type { SnapshotProgress } from '../../connectors/source.ts'

const INTERVAL_MS = 5_000

interface Told {
  /** Of the snapshot: another one of the same entity starts later. */
  readonly startedAtMs: number
  /** Where it stood when this process first heard of it: a snapshot that was interrupted for a night was not slow. */
  readonly fromRows: number
  readonly fromMs: number
  readonly atMs: number
}

/** Says how far each snapshot is when it begins or goes on, every few seconds after, and when it is done. Holds one entry an entity. */
export function createSnapshotLog(log: Log, nowMs: () => number = Date.now): (progress: SnapshotProgress) => void {
  const told = new Map<string, Told>()
  return ({ source, entity, rowsDone, rowsEstimated, startedAtMs, done }) => {
    const now = nowMs()
    const before = told.get(entity)
    const known = before?.startedAtMs === startedAtMs ? before : undefined
    if (!done && known !== undefined && now - known.atMs < INTERVAL_MS) return
    const { fromRows, fromMs } = known ?? { fromRows: rowsDone, fromMs: now }
    told.set(entity, { startedAtMs, fromRows, fromMs, atMs: now })
    const rows = rowsDone - fromRows
    const leftMs = rows <= 0 ? null : ((now - fromMs) / rows) * Math.max(0, rowsEstimated - rowsDone)
    log('info', done ? 'snapshot done' : 'snapshot', {
      source,
      entity,
      rowsDone,
      rowsEstimated,
      leftSeconds: done || leftMs === null ? null : Math.round(leftMs / 1_000),
    })
  }
}

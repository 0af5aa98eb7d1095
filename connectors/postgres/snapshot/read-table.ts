import { TributaryError } from '../../../schemas/errors.ts'
import { compareVersions, SNAPSHOT_ORDINAL } from '../../../schemas/version.ts'
import type { CaptureContext, PublishedRecord, SnapshotProgress, SourceEvent } from '../../source.ts'
import { objectName } from '../captured-table.ts'
import type { Types } from '../catalog/column-fit.ts'
import type { OnNotice } from '../notice.ts'
import { RememberedKeys } from '../remembered-keys.ts'
import { planRows } from '../row-plan.ts'
import { estimateRows } from './estimate.ts'
import { existingKeys } from './existing-keys.ts'
import { holdTable } from './hold-table.ts'
import type { SnapshotPoint } from './point.ts'
import { finishRun, inOrder, type RunningSnapshot, refuseRun, startNext, withRun } from './progress.ts'
import { keyOrder, readChunk } from './read-chunk.ts'
import { snapshotColumns, snapshotProvenance } from './row-events.ts'
import type { SnapshotSession } from './session.ts'
import { progressEvent, type TableWork } from './work.ts'

/** The state is stored after each chunk, and this often within one whose rows are large. */
const STORE_INTERVAL_MS = 2_000

export interface ReadTableOptions {
  readonly source: string
  readonly epoch: bigint
  readonly types: Types
  readonly context: CaptureContext
  readonly chunkRows: number
  readonly point: SnapshotPoint
  readonly session: SnapshotSession
  readonly capturedAt: () => bigint
  /** Whether the segment's time is over. */
  readonly isOver: () => boolean
  readonly onRows: (count: number) => void
  /** The table could be read. */
  readonly onHeld: () => void
  readonly onNotice: OnNotice
  readonly onProgress: (progress: SnapshotProgress) => void
  readonly signal: AbortSignal
}

/**
 * Goes on with the snapshot of a table, as of a point, until it is done or the time is over: the rows after the last key, then the sweep:
 * keys on the topic that the table does not have any more are deleted.
 * @returns whether the session can still be used
 */
export async function* readTable(
  one: TableWork,
  options: ReadTableOptions,
): AsyncGenerator<readonly SourceEvent[], boolean> {
  const run = () => one.progress.running!
  const step = (changes: Partial<RunningSnapshot>) => {
    one.progress = withRun(one.progress, changes)
    tell(one, options, false)
  }
  const hold = await holdTable(options.session, one.table)
  if (hold === 'locked') tellLocked(one, options)
  if (hold !== 'held') return true
  options.onHeld()
  if (run().first === null) {
    const { name } = one.table.entity
    const rowsEstimated = await estimateUnlessRefused(one, options)
    if (typeof rowsEstimated === 'string') {
      one.progress = startNext(one.table, refuseRun(one.progress, rowsEstimated), Date.now())
      yield [progressEvent(one)]
      return false
    }
    step({
      first: String(options.point.position),
      rowsEstimated,
      // Keys published from here on come from the table as it is, so the sweep need not look at them.
      sweep: run().where.length === 0 ? await options.context.publishedRange(name) : null,
    })
    yield [progressEvent(one)]
  }
  yield* readRows(one, options, run, step)
  if (!run().rowsRead) return true
  yield* sweep(one, options, run, step)
  if (run().sweep !== null && !isEmpty(run().sweep!)) return true
  tell(one, options, true)
  one.progress = startNext(one.table, finishRun(one.progress), Date.now())
  yield [progressEvent(one)]
  return true
}

function tellLocked(one: TableWork, { source, onNotice }: ReadTableOptions): void {
  if (one.isWaitTold) return
  one.isWaitTold = true
  onNotice({
    code: 'snapshot-waits',
    message: `the snapshot of source "${source}" cannot read ${objectName(one.table.table)} now: a transaction has locked it. It is tried again`,
  })
}

/** @returns why not, when the server cannot carry out the filter that was asked for */
async function estimateUnlessRefused(one: TableWork, options: ReadTableOptions): Promise<number | string> {
  try {
    return await estimateRows(options.session, one.table, one.progress.running!.where)
  } catch (error) {
    if (!(error instanceof TributaryError && error.code === 'filter-invalid')) throw error
    return error.message
  }
}

type Step = (changes: Partial<RunningSnapshot>) => void

async function* readRows(
  one: TableWork,
  options: ReadTableOptions,
  run: () => RunningSnapshot,
  step: Step,
): AsyncGenerator<readonly SourceEvent[]> {
  const { table, facts } = one
  const columns = snapshotColumns(table).map((name) => facts.columns.find((column) => column.name === name)!)
  const plan = planRows(table, columns, options.types)
  if (!run().rowsRead) {
    const ordered = inOrder(run(), await keyOrder(options.session, table, plan, facts))
    if (ordered !== undefined) step(ordered)
  }
  while (!run().rowsRead && !options.isOver() && !options.signal.aborted) {
    const { after, where } = run()
    const chunk = readChunk(
      options.session,
      table,
      plan,
      facts,
      { after, where, rows: options.chunkRows },
      {
        source: options.source,
        epoch: options.epoch,
        position: options.point.position,
        takenAt: options.point.takenAt,
        capturedAt: options.capturedAt,
        signal: options.signal,
      },
    )
    let rows = 0
    let storeAtMs = performance.now() + STORE_INTERVAL_MS
    let isCut = false
    for await (const batch of chunk) {
      rows += batch.events.length
      options.onRows(batch.events.length)
      step({ after: batch.after, rowsDone: run().rowsDone + batch.events.length })
      isCut = options.isOver()
      if (isCut || performance.now() >= storeAtMs) {
        storeAtMs = performance.now() + STORE_INTERVAL_MS
        yield [...batch.events, progressEvent(one)]
      } else yield batch.events
      if (isCut || options.signal.aborted) break
    }
    if (!isCut && !options.signal.aborted) {
      if (rows < options.chunkRows) step({ rowsRead: true })
      yield [progressEvent(one)]
    }
  }
}

async function* sweep(
  one: TableWork,
  options: ReadTableOptions,
  run: () => RunningSnapshot,
  step: Step,
): AsyncGenerator<readonly SourceEvent[]> {
  const range = run().sweep
  if (range === null || isEmpty(range)) return
  let storeAtMs = performance.now() + STORE_INTERVAL_MS
  const deleted = new RememberedKeys()
  for await (const { records, rest } of options.context.published(one.table.entity.name, range)) {
    const deletes = await deletesOf(one, options, records, deleted)
    step({ sweep: rest })
    const isCut = options.isOver() || options.signal.aborted
    // With every batch that deletes something: looked through again, those keys would be deleted again.
    if (deletes.length > 0 || isCut || isEmpty(rest) || performance.now() >= storeAtMs) {
      storeAtMs = performance.now() + STORE_INTERVAL_MS
      yield [...deletes, progressEvent(one)]
    }
    if (isCut) return
  }
  step({ sweep: {} })
}

/** The deletes of the keys that are alive on the topic and not in the table as of the point. */
async function deletesOf(
  { table }: TableWork,
  { source: instance, epoch, point, session, capturedAt }: ReadTableOptions,
  records: readonly PublishedRecord[],
  deleted: RememberedKeys,
): Promise<readonly SourceEvent[]> {
  const version = { epoch, position: point.position, ordinal: SNAPSHOT_ORDINAL }
  const alive = records.filter((record) => !record.deleted && compareVersions(record.version, version) < 0)
  if (alive.length === 0) return []
  const keys = alive.map(({ key }) => key)
  const existing = await existingKeys(session, table, keys)
  const at = { source: instance, position: point.position, takenAt: point.takenAt, capturedAt: capturedAt() }
  const source = snapshotProvenance(objectName(table.table), at)
  return keys.flatMap((key): SourceEvent[] =>
    existing.has(key) || !deleted.add(key)
      ? []
      : [
          {
            kind: 'change',
            change: { op: 'delete', entity: table.entity.name, key, version, source, origin: null },
            missing: [],
          },
        ],
  )
}

function isEmpty(range: NonNullable<RunningSnapshot['sweep']>): boolean {
  return Object.values(range).every(({ next, end }) => BigInt(next) >= BigInt(end))
}

function tell({ table, progress }: TableWork, { source, onProgress }: ReadTableOptions, done: boolean): void {
  const { rowsDone, rowsEstimated, startedAtMs } = progress.running!
  const estimate = done ? rowsDone : Math.max(rowsEstimated ?? 0, rowsDone)
  onProgress({ source, entity: table.entity.name, rowsDone, rowsEstimated: estimate, startedAtMs, done })
}

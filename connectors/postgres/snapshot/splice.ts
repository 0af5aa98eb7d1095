import type { SnapshotProgress, SourceEvent } from '../../source.ts'
import type { LocatedTable } from '../captured-table.ts'
import type { TableFacts } from '../catalog/catalog.ts'
import type { Types } from '../catalog/column-fit.ts'
import type { Sql } from '../connection.ts'
import { planRows } from '../row-plan.ts'
import { loadPlace, type OnNotice, tellIfWaiting } from '../slot/slot.ts'
import { readSnapshot, snapshotColumns } from './snapshot.ts'
import { type SnapshotPoint, takeSnapshotPoint } from './snapshot-point.ts'

export interface SpliceOptions {
  readonly sql: Sql
  readonly url: string
  readonly application: string
  readonly slot: string
  readonly source: string
  readonly epoch: bigint
  readonly chunkRows: number
  readonly tables: readonly LocatedTable[]
  readonly facts: readonly TableFacts[]
  readonly types: Types
  readonly capturedAt: () => bigint
  readonly onProgress: (progress: SnapshotProgress) => void
  readonly onNotice: OnNotice
  readonly signal: AbortSignal
}

/**
 * A snapshot that is put into the stream at its consistent point. The stream goes on below the point and holds at the first commit
 * from it on; so per key the snapshot's version comes after all older ones and before all newer ones.
 */
export interface Splice {
  readonly tables: readonly LocatedTable[]
  /** Commits below this may be streamed now: the point, or while it is not known yet, the end of the log before it was asked for. */
  bound(): bigint
  isKnown(): boolean
  /** Waits until the point is known. */
  point(): Promise<bigint>
  /** The rows of every table, as of the point. */
  rows(): AsyncGenerator<readonly SourceEvent[]>
  end(): Promise<void>
}

/** Starts taking a point. The slot must exist, or what happens until streaming starts would be in neither. */
export async function startSplice(options: SpliceOptions): Promise<Splice> {
  const { sql, url, application, slot, source, tables, onNotice } = options
  const ended = new AbortController()
  const signal = AbortSignal.any([options.signal, ended.signal])
  // Any point taken after this is not below it.
  const floor = (await loadPlace(sql)).end
  let known: SnapshotPoint | undefined
  const taken = tellIfWaiting(sql, `the snapshot of source "${source}"`, onNotice, () =>
    takeSnapshotPoint(url, application, slot, sql, signal),
  ).then((point) => {
    known = point
    return point
  })
  // Its failure is thrown where the point is needed.
  taken.catch(() => {})
  return {
    tables,
    bound: () => known?.position ?? floor,
    isKnown: () => known !== undefined,
    point: async () => (await taken).position,
    async *rows() {
      const point = await taken
      for (const [index, table] of tables.entries()) {
        if (signal.aborted) return
        const columns = snapshotColumns(table).map(
          (name) => options.facts[index]!.columns.find((one) => one.name === name)!,
        )
        const plan = planRows(table, columns, options.types)
        yield* readSnapshot(point, table, plan, {
          source,
          epoch: options.epoch,
          chunkRows: options.chunkRows,
          capturedAt: options.capturedAt,
          onProgress: options.onProgress,
          signal,
        })
      }
    },
    async end() {
      // The server may make it wait for other people's transactions, for as long as those like.
      ended.abort()
      const point = await taken.catch(() => undefined)
      await point?.end()
    },
  }
}

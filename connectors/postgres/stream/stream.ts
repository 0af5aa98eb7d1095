import { TributaryError } from '../../../schemas/errors.ts'
import type { SourceEvent } from '../../source.ts'
import type { LocatedTable } from '../captured-table.ts'
import { objectName } from '../captured-table.ts'
import type { Types } from '../catalog/column-fit.ts'
import { planRelation, type RowPlan } from '../row-plan.ts'
import { createDecoder, type RelationMessage, type RowMessage, type TruncateMessage } from './pgoutput.ts'
import { keepAliveEnd, WAL_DATA, WAL_DATA_HEADER_BYTES } from './reader.ts'
import { createTranslator } from './translate.ts'

export interface StreamOptions {
  readonly source: string
  readonly epoch: bigint
  readonly tables: readonly LocatedTable[]
  readonly types: Types
  readonly snapshotPoint: (entity: string) => bigint | undefined
  /** Adds what is missing for these type oids to the known types. */
  readonly loadTypes: (oids: readonly number[], known: Types) => Promise<Types>
  /** The log describes a captured table, for the first time in this connection or because it changed. */
  readonly onRelation?: (table: LocatedTable) => Promise<void>
  /** The moments that decide what may be acknowledged (acknowledge.ts). */
  readonly onOpen: () => void
  readonly onCommit: (endLsn: bigint) => void
  readonly onKeepAlive: (end: bigint) => void
}

/** Follows the replication stream: relations, transactions, rows. One per connection. */
export interface StreamFollower {
  startBatch(capturedAt: bigint): void
  /**
   * Consumes messages from `index` on and appends their events.
   * @param bound commits from here on are not consumed; undefined for no bound
   * @returns where it stopped: the batch's length, or the index of a Begin at or past the bound, or the index after a keep-alive that
   * says the server has sent everything below the bound
   * @throws TributaryError `truncate-unsupported`, `table-altered`, `invariant-broken`; events made before are in `out`
   */
  consume(batch: readonly Buffer[], index: number, bound: bigint | undefined, out: SourceEvent[]): Promise<Stop>
}

export interface Stop {
  readonly index: number
  readonly reachedBound: boolean
}

export function followStream(options: StreamOptions): StreamFollower {
  const decode = createDecoder()
  const translator = createTranslator({
    instance: options.source,
    epoch: options.epoch,
    snapshotPoint: options.snapshotPoint,
  })
  const plans = new Map<number, { readonly plan: RowPlan | undefined; readonly name: string }>()
  let types = options.types
  let inTransaction = false
  let lastRelation = -1
  let lastPlan: RowPlan | undefined

  function planOf(message: RowMessage): RowPlan | undefined {
    if (message.relation === lastRelation) return lastPlan
    const known = plans.get(message.relation)
    if (known === undefined)
      throw new TributaryError(
        'invariant-broken',
        `PostgreSQL sent a row of table ${message.relation} before its description`,
      )
    lastRelation = message.relation
    lastPlan = known.plan
    return lastPlan
  }

  async function learnRelation(message: RelationMessage): Promise<void> {
    const oids = message.columns.map((column) => column.typeOid)
    if (oids.some((oid) => !types.has(oid))) types = await options.loadTypes(oids, types)
    const plan = planRelation(message, options.tables, types)
    plans.set(message.id, { plan, name: objectName(message) })
    lastRelation = -1
    const table = plan && options.tables.find(({ entity }) => entity.name === plan.entity)
    if (table !== undefined && plan?.problem === undefined) await options.onRelation?.(table)
  }

  function refuseTruncate(message: TruncateMessage): void {
    const emptied = message.relations.flatMap((id) => plans.get(id)?.plan?.object ?? [])
    if (emptied.length === 0) return
    throw new TributaryError(
      'truncate-unsupported',
      `${emptied.join(', ')} was emptied with TRUNCATE at source "${options.source}". The log does not name the rows, so their deletes ` +
        'cannot be published and capture stops here. Give the pipeline another name and its subscribers empty schemas, provision, and start: ' +
        'see «A slot is lost» in docs/operating. Use DELETE instead of TRUNCATE',
    )
  }

  return {
    startBatch: (capturedAt) => translator.startBatch(capturedAt),
    async consume(batch, index, bound, out) {
      for (let at = index; at < batch.length; at++) {
        const bytes = batch[at]!
        if (bytes[0] !== WAL_DATA) {
          const end = keepAliveEnd(bytes)
          if (end === undefined)
            throw new TributaryError('invariant-broken', `PostgreSQL sent a message of kind ${bytes[0]}`)
          options.onKeepAlive(end)
          if (bound !== undefined && !inTransaction && end >= bound) return { index: at + 1, reachedBound: true }
          continue
        }
        const message = decode(bytes, WAL_DATA_HEADER_BYTES)
        switch (message.kind) {
          case 'row':
            translator.row(planOf(message), message, out)
            break
          case 'begin':
            if (bound !== undefined && message.commitLsn >= bound) return { index: at, reachedBound: true }
            inTransaction = true
            options.onOpen()
            translator.begin(message)
            break
          case 'commit':
            inTransaction = false
            options.onCommit(message.endLsn)
            break
          case 'relation':
            await learnRelation(message)
            break
          case 'origin':
            translator.origin(message.name)
            break
          case 'truncate':
            refuseTruncate(message)
            break
          case 'other':
            break
        }
      }
      return { index: batch.length, reachedBound: false }
    },
  }
}

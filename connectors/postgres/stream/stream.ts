import { TributaryError } from '../../../schemas/errors.ts'
import type { SourceEvent } from '../../source.ts'
import type { LocatedTable } from '../captured-table.ts'
import { objectName } from '../captured-table.ts'
import type { Types } from '../catalog/column-fit.ts'
import { type CaptureRequest, parseRequest, REQUEST_PREFIX } from '../request.ts'
import { planRelation, type RowPlan } from '../row-plan.ts'
import { createDecoder, type LogicalMessage, type RelationMessage, type RowMessage } from './pgoutput.ts'
import { keepAliveEnd, WAL_DATA, WAL_DATA_HEADER_BYTES } from './reader.ts'
import { createTranslator, type Emptied, isTooLong } from './translate.ts'

export interface StreamOptions {
  readonly source: string
  readonly slot: string
  readonly epoch: bigint
  readonly tables: readonly LocatedTable[]
  readonly types: Types
  readonly neededFrom: (entity: string) => bigint | undefined
  /** Adds what is missing for these type oids to the known types. */
  readonly loadTypes: (oids: readonly number[], known: Types) => Promise<Types>
  /** Everything before `position` has been consumed, and no transaction is open; null where it is not a commit. */
  readonly onCovered: (position: bigint, transaction: Transaction | null) => void
  /** A logical decoding message that is not transactional. */
  readonly onMessage: (message: LogicalMessage) => void
  /**
   * Something that only looks like a request, or cannot be carried out: anyone who may write to the database can send it.
   * @param problem one of few texts, without anything of the message
   */
  readonly onInvalidRequest: (problem: string) => void
  /** The log describes a captured table, for the first time in this connection or because it changed. */
  readonly onRelation?: (table: LocatedTable) => Promise<void>
}

export interface Transaction {
  readonly xid: number
  /** Microseconds since 1970-01-01 UTC. */
  readonly committedAt: bigint
}

export type SnapshotAsked = Extract<CaptureRequest, { kind: 'snapshot' }>

/** Follows the replication stream: relations, transactions, rows. One per connection. */
export interface StreamFollower {
  startBatch(capturedAt: bigint): void
  /**
   * Consumes messages from `index` on and appends their events.
   * @param bound commits from here on are not consumed; undefined for no bound
   * @throws TributaryError `table-altered`, `invariant-broken`; events made before are in `out`
   */
  consume(batch: readonly Buffer[], index: number, bound: bigint | undefined, out: SourceEvent[]): Promise<Stop>
}

/** Where it stopped: the index of the next message, and why. */
export type Stop =
  | { readonly why: 'end'; readonly index: number }
  /** A Begin at or past the bound comes next, or the server said that it has sent everything below the bound. */
  | { readonly why: 'bound'; readonly index: number }
  /** Tables were emptied: their keys have to be deleted before the stream goes on. */
  | { readonly why: 'truncate'; readonly index: number; readonly emptied: readonly Emptied[] }
  /** A snapshot was asked for. */
  | { readonly why: 'request'; readonly index: number; readonly request: SnapshotAsked }

export function followStream(options: StreamOptions): StreamFollower {
  const decode = createDecoder()
  const translator = createTranslator({
    instance: options.source,
    epoch: options.epoch,
    neededFrom: options.neededFrom,
  })
  const plans = new Map<number, { readonly plan: RowPlan | undefined; readonly name: string }>()
  let types = options.types
  let inTransaction = false
  let transaction: Transaction = { xid: 0, committedAt: 0n }
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

  /**
   * Whether all that the server sent before `position` shows that it has nothing more below the bound. Past that nothing is covered: what is
   * put into the stream at the bound or behind it is still to come.
   */
  function covered(position: bigint, bound: bigint | undefined): boolean {
    if (inTransaction) return false
    const isReached = bound !== undefined && position >= bound
    options.onCovered(isReached ? bound : position, null)
    return isReached
  }

  /** Carries out what a message asks for, or hands it on; what is meant for another capture of this database is passed over. */
  function take(message: LogicalMessage, out: SourceEvent[]): SnapshotAsked | undefined {
    if (message.prefix !== REQUEST_PREFIX) return undefined
    const request = parseRequest(message.content)
    if (request.kind === 'invalid') {
      options.onInvalidRequest(request.problem)
      return undefined
    }
    if (request.slot !== undefined && request.slot !== options.slot) return undefined
    const table = options.tables.find(({ entity }) => entity.name === request.entity)
    if (table === undefined) {
      // Without a slot it is meant for those that have the entity.
      if (request.slot !== undefined)
        options.onInvalidRequest('it asks for an entity that the running declaration does not have')
      return undefined
    }
    if (request.kind === 'snapshot') return request
    const { name: entity, fields } = table.entity
    const plan = { entity, object: objectName(table.table), fieldNames: fields.map(({ name }) => name) }
    const keys = request.keys.filter((key) => !isTooLong(key))
    if (keys.length < request.keys.length) options.onInvalidRequest('it names keys that are longer than a key may be')
    translator.reread(plan, keys, out)
    return undefined
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
          if (covered(end, bound)) return { why: 'bound', index: at + 1 }
          continue
        }
        const message = decode(bytes, WAL_DATA_HEADER_BYTES)
        switch (message.kind) {
          case 'row':
            translator.row(planOf(message), message, out)
            break
          case 'begin':
            if (bound !== undefined && message.commitLsn >= bound) return { why: 'bound', index: at }
            inTransaction = true
            transaction = { xid: message.xid, committedAt: message.committedAt }
            translator.begin(message)
            break
          case 'commit':
            inTransaction = false
            options.onCovered(message.endLsn, transaction)
            break
          case 'relation':
            await learnRelation(message)
            break
          case 'origin':
            translator.origin(message.name)
            break
          case 'truncate': {
            const emptied = message.relations.flatMap((id) => translator.truncate(plans.get(id)?.plan) ?? [])
            if (emptied.length > 0) return { why: 'truncate', index: at + 1, emptied }
            break
          }
          case 'message': {
            if (!message.transactional) {
              options.onMessage(message)
              if (covered(message.lsn, bound)) return { why: 'bound', index: at + 1 }
              break
            }
            const request = take(message, out)
            if (request !== undefined) return { why: 'request', index: at + 1, request }
            break
          }
          case 'other':
            break
        }
      }
      return { why: 'end', index: batch.length }
    },
  }
}

import { TributaryError } from '../../schemas/errors.ts'
import type { SnapshotProgress, Source, SourceEvent, SourceState, SourceStatus } from '../source.ts'
import { AlteredTable, requireSuitable } from './altered-table.ts'
import { type CapturedTable, objectName } from './captured-table.ts'
import { loadTypes } from './catalog/catalog.ts'
import { type Inspection, identityNotices, inspect } from './catalog/inspect.ts'
import { planPublication, preparePublication } from './catalog/publication.ts'
import { recheck } from './catalog/recheck.ts'
import { openPool } from './connection.ts'
import { failure } from './failure.ts'
import { hydrateRows, untilVisible } from './hydrate.ts'
import * as acknowledgement from './slot/acknowledge.ts'
import { establish, openWhenFree } from './slot/resume.ts'
import { checkSlotName, decideSlot, describeSlot, isGone, loadLagSeconds, loadPlace, loadSlot } from './slot/slot.ts'
import { needsSnapshot, withoutSnapshot, withSnapshots } from './snapshot/snapshot-state.ts'
import { type Splice, startSplice } from './snapshot/splice.ts'
import type { Reader } from './stream/reader.ts'
import { followStream, type StreamFollower } from './stream/stream.ts'

export type { CapturedTable } from './captured-table.ts'

export interface PostgresSourceOptions {
  /** The source's name in the declaration. */
  readonly name: string
  readonly url: string
  readonly slot: string
  readonly publication: string
  readonly entities: readonly CapturedTable[]
  /** The most rows of one snapshot batch. */
  readonly snapshotChunkRows: number
  readonly onSnapshotProgress?: (progress: SnapshotProgress) => void
  /** What an operator should know and need not act on. */
  readonly onNotice?: (notice: { readonly code: string; readonly message: string }) => void
  /** Microseconds since 1970-01-01 UTC. */
  readonly now?: () => bigint
}

/** While a snapshot waits for the stream to reach its point. */
const KEEP_ALIVE_POLL_MS = 200
const CLOSE_WAIT_SECONDS = 2

/**
 * PostgreSQL as a source: logical replication through a slot, with snapshots spliced into the stream.
 * @throws TributaryError `declaration-invalid` when the url or the slot's name cannot be used
 */
export function createPostgresSource(options: PostgresSourceOptions): Source {
  const { name, url, slot, publication, entities, now = systemMicros } = options
  const application = `tributary ${name}`
  checkSlotName(slot)
  const sql = openPool(url, application)
  const active = new Set<AbortController>()
  let settlement = acknowledgement.startSettlement(0n)
  let inspected: Promise<Inspection> | undefined
  let closed: Promise<void> | undefined

  /** Runs `doing`; what PostgreSQL throws comes out as one of our errors. */
  async function attempt<T>(doing: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      throw failure(doing, error)
    }
  }

  const inspectNow = () => {
    inspected = attempt(`checking source "${name}"`, () => inspect(sql, name, entities))
    // A failed check is not kept: the next caller checks again.
    inspected.catch(() => {
      inspected = undefined
    })
    return inspected
  }

  async function* run(
    given: SourceState | null,
    signal: AbortSignal,
    onStreaming: () => void,
  ): AsyncGenerator<readonly SourceEvent[]> {
    const inspection = await inspectNow()
    for (const notice of identityNotices(name, inspection)) options.onNotice?.(notice)
    const { state, isNew } = await attempt(`checking slot "${slot}"`, () =>
      establish(sql, options, inspection, given, signal),
    )
    if (signal.aborted) return
    if (isNew) yield [{ kind: 'state', state }]
    yield* stream(inspection, state, signal, onStreaming)
  }

  async function* stream(
    inspection: Inspection,
    initial: SourceState,
    signal: AbortSignal,
    onStreaming: () => void,
  ): AsyncGenerator<readonly SourceEvent[]> {
    let state = initial
    settlement = acknowledgement.startSettlement(0n)
    const reader = await openWhenFree(sql, options, application, () => settlement.settled, signal)
    if (reader === undefined) return
    onStreaming()
    const stop = () => {
      // The reader's own end is awaited below; here it only has to start.
      reader.close().catch(() => {})
    }
    signal.addEventListener('abort', stop, { once: true })
    let splice: Splice | undefined
    try {
      let committed: bigint | undefined
      const follower = followStream({
        source: name,
        epoch: BigInt(state.epoch),
        tables: inspection.tables,
        types: inspection.types,
        snapshotPoint: (entity) => {
          const position = needsSnapshot(state, inspection.tables.find((one) => one.entity.name === entity)!)
            ? undefined
            : state.snapshots[entity]?.position
          return position === undefined ? undefined : BigInt(position)
        },
        loadTypes: (oids, known) => attempt('reading types', () => loadTypes(sql, oids, known)),
        onRelation: (table) =>
          attempt(`checking table ${objectName(table.table)}`, () =>
            recheck(sql, table, inspection.types, options.onNotice ?? (() => {})),
          ),
        onOpen: () => {
          settlement = acknowledgement.open(settlement)
        },
        onCommit: (endLsn) => {
          committed = endLsn
          settlement = acknowledgement.cover(settlement, endLsn)
        },
        onKeepAlive: (end) => {
          settlement = acknowledgement.keepAlive(settlement, end)
        },
      })
      splice = await spliceFor(inspection, state, signal)
      while (!signal.aborted) {
        const batch = await nextBatch(reader, splice, signal)
        if (batch === undefined) return
        follower.startBatch(now())
        for (let index = 0; index < batch.length; ) {
          const out: SourceEvent[] = []
          const stopped = await consume(follower, batch, index, splice?.bound(), out)
          index = stopped.index
          if (committed !== undefined) out.push({ kind: 'progress', position: committed })
          committed = undefined
          if (out.length > 0) yield out
          if (stopped.error instanceof AlteredTable) {
            await requireSuitable(stopped.error, inspectNow)
            yield [{ kind: 'state', state: withoutSnapshot(state, stopped.error.entity) }]
          }
          if (stopped.error !== undefined) throw stopped.error
          if (signal.aborted) return
          if (splice === undefined || !stopped.reachedBound) continue
          // A keep-alive while the point is unknown needs no waiting; a commit does.
          if (!splice.isKnown() && index === batch.length) continue
          const before = splice.bound()
          const point = await splice.point()
          if (point > before) continue
          for await (const rows of splice.rows()) {
            settlement = acknowledgement.open(settlement)
            yield rows
          }
          if (signal.aborted) return
          await splice.end()
          state = withSnapshots(state, splice.tables, point)
          splice = undefined
          settlement = acknowledgement.cover(settlement, point)
          yield [
            { kind: 'state', state },
            { kind: 'progress', position: point },
          ]
        }
      }
    } finally {
      signal.removeEventListener('abort', stop)
      await reader.close()
      await splice?.end()
    }
  }

  async function consume(
    follower: StreamFollower,
    batch: readonly Buffer[],
    index: number,
    bound: bigint | undefined,
    out: SourceEvent[],
  ): Promise<{ index: number; reachedBound: boolean; error?: unknown }> {
    try {
      return await follower.consume(batch, index, bound, out)
    } catch (error) {
      // What came before the trouble is right, and is handed out before it is thrown.
      return { index: batch.length, reachedBound: false, error }
    }
  }

  async function spliceFor(
    inspection: Inspection,
    state: SourceState,
    signal: AbortSignal,
  ): Promise<Splice | undefined> {
    const needed = inspection.tables.flatMap((table, index) => (needsSnapshot(state, table) ? [index] : []))
    if (needed.length === 0) return undefined
    return attempt('starting a snapshot', () =>
      startSplice({
        sql,
        url,
        application,
        slot,
        source: name,
        epoch: BigInt(state.epoch),
        chunkRows: options.snapshotChunkRows,
        tables: needed.map((index) => inspection.tables[index]!),
        facts: needed.map((index) => inspection.facts[index]!),
        types: inspection.types,
        capturedAt: now,
        onProgress: options.onSnapshotProgress ?? (() => {}),
        onNotice: options.onNotice ?? (() => {}),
        signal,
      }),
    )
  }

  /** @returns undefined when `signal` was aborted */
  async function nextBatch(
    reader: Reader,
    splice: Splice | undefined,
    signal: AbortSignal,
  ): Promise<readonly Buffer[] | undefined> {
    try {
      if (splice === undefined) return await reader.read()
      const batch = await reader.read(KEEP_ALIVE_POLL_MS)
      // An idle server says nothing; asked, it says how far it has read, which may be the point.
      if (batch.length === 0) reader.requestKeepAlive()
      return batch
    } catch (error) {
      if (signal.aborted) return undefined
      throw await explainBreak(error)
    }
  }

  /** A slot that the server gives up ends the connection without telling why, so the slot is asked about. */
  async function explainBreak(error: unknown): Promise<TributaryError> {
    const broke = failure(`streaming from slot "${slot}"`, error)
    if (broke.code === 'slot-lost') return broke
    try {
      const facts = await loadSlot(sql, slot)
      if (facts === undefined || isGone(facts))
        return new TributaryError(
          'slot-lost',
          `replication slot "${slot}" is ${facts === undefined ? 'missing' : 'lost'} (${broke.message}). Changes may be missing. Give ` +
            'the pipeline another name and its subscribers empty schemas, provision, and start: see «A slot is lost» in docs/operating.',
          { cause: broke },
        )
    } catch {
      // The server cannot be asked: then the break itself is all that is known.
    }
    return broke
  }

  return {
    async plan() {
      const inspection = await inspectNow()
      return attempt(`checking source "${name}"`, async () => {
        const statement = await planPublication(sql, publication, inspection)
        const facts = await loadSlot(sql, slot)
        decideSlot(slot, facts, await loadPlace(sql), null)
        return [
          ...(statement === undefined ? [] : [`source ${name}: ${statement}`]),
          ...(facts === undefined
            ? [`source ${name}: create the replication slot "${slot}" when capture first starts`]
            : []),
        ]
      })
    },

    async prepare() {
      const inspection = await inspectNow()
      await attempt(`preparing source "${name}"`, async () => {
        const place = await loadPlace(sql)
        decideSlot(slot, await loadSlot(sql, slot), place, null)
        await preparePublication(sql, name, publication, inspection)
      })
    },

    async *events(state, signal, onStreaming = () => {}) {
      if (active.size > 0) throw new TributaryError('invariant-broken', `source "${name}" is streaming already`)
      const own = new AbortController()
      active.add(own)
      const either = AbortSignal.any([signal, own.signal])
      try {
        if (!either.aborted) yield* run(state, either, onStreaming)
      } catch (error) {
        // What an abort cuts off is not a failure.
        if (!either.aborted) throw error
      } finally {
        active.delete(own)
      }
    },

    acknowledge(position) {
      settlement = acknowledgement.settle(settlement, position)
    },

    async hydrate(entity, keys, fields, transactions) {
      const inspection = await (inspected ?? inspectNow())
      const table = inspection.tables.find((one) => one.entity.name === entity)
      if (table === undefined)
        throw new TributaryError('invariant-broken', `source "${name}" does not capture entity ${entity}`)
      return attempt(`reading rows of ${objectName(table.table)}`, async () => {
        await untilVisible(sql, transactions)
        return hydrateRows(sql, table, keys, fields)
      })
    },

    status(): Promise<SourceStatus> {
      return attempt(`reading slot "${slot}"`, async () =>
        describeSlot(await loadSlot(sql, slot), (await loadPlace(sql)).end, await loadLagSeconds(sql, slot)),
      )
    },

    close() {
      closed ??= (async () => {
        for (const own of active) own.abort()
        await sql.end({ timeout: CLOSE_WAIT_SECONDS })
      })()
      return closed
    },
  }
}

function systemMicros(): bigint {
  return BigInt(Date.now()) * 1_000n
}

import { TributaryError } from '../../schemas/errors.ts'
import type { CaptureContext, SourceEvent } from '../source.ts'
import { AlteredTable, requireSuitable } from './altered-table.ts'
import { loadTypes } from './catalog/catalog.ts'
import { type Inspection, inspect, unsuitable } from './catalog/inspect.ts'
import { examinePublication } from './catalog/publication.ts'
import { loadPublishing, type Publishing } from './catalog/publishing.ts'
import { recheck } from './catalog/recheck.ts'
import { watchTables } from './catalog/watch-tables.ts'
import type { Sql } from './connection.ts'
import type { OnNotice } from './notice.ts'
import { acquire, type Held } from './slot/acquire.ts'
import { writeEpochCommit } from './slot/epoch-commit.ts'
import { HEARTBEAT_PREFIX, type Heartbeat, parseHeartbeat, startHeartbeat } from './slot/heartbeat.ts'
import { heldError, lostNotice } from './slot/history.ts'
import { OtherHistory, type PlaceTracker, trackPlace } from './slot/track-place.ts'
import { checkCondition } from './snapshot/condition.ts'
import { type Segment, startSegment } from './snapshot/segment.ts'
import { planTurns } from './snapshot/turns.ts'
import { openWork, type SnapshotWork } from './snapshot/work.ts'
import type { PostgresSourceOptions } from './source.ts'
import { emptyTable } from './stream/empty-table.ts'
import { tellRefused } from './stream/refused-requests.ts'
import { followStream, type SnapshotAsked, type Stop, type StreamFollower } from './stream/stream.ts'

/** What one run of capture works with, beside what was declared. */
export interface CaptureParts {
  readonly sql: Sql
  readonly application: string
  readonly inspection: Inspection
  readonly context: CaptureContext
  readonly onNotice: OnNotice
  readonly now: () => bigint
  /** What may be confirmed to the slot. */
  readonly settled: () => bigint
  /** Up to where the log may have been seen by reading rows of it, ahead of the stream. */
  readonly readUpTo: () => bigint
  /** The slot is taken; the server process through which it is held. */
  readonly onHeld: (pid: number) => void
  readonly signal: AbortSignal
}

/** While a snapshot waits for the stream to reach its point, or for its turn. */
const POLL_MS = 200

/** Takes the slot and streams from it, with the snapshots that are needed or asked for in their places. */
export async function* captureEvents(
  options: PostgresSourceOptions,
  parts: CaptureParts,
): AsyncGenerator<readonly SourceEvent[]> {
  const { signal, inspection } = parts
  const entities = inspection.tables.map(({ entity }) => entity.name)
  const held = await acquire({ ...options, ...parts, source: options.name, entities })
  if (held === undefined) return
  const stop = () => {
    // The reader's own end is awaited below; here it only has to start.
    held.reader.close().catch(() => {})
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    const publishing = await lookAtPublication(options, parts)
    const { work, changes } = openWork(inspection, publishing, held.history, held.stored, Date.now)
    if (held.isNew) yield [{ kind: 'state', name: 'history', value: held.history }]
    if (held.stored.values.has('recover')) yield [{ kind: 'state', name: 'recover', value: null }]
    if (changes.length > 0) yield changes
    if (!signal.aborted) yield* stream(options, parts, held, work, publishing)
  } finally {
    signal.removeEventListener('abort', stop)
    await held.reader.close()
  }
}

async function* stream(
  options: PostgresSourceOptions,
  parts: CaptureParts,
  held: Held,
  work: SnapshotWork,
  publishing: Publishing,
): AsyncGenerator<readonly SourceEvent[]> {
  const { signal, onNotice } = parts
  const place = trackPlace(held, parts.readUpTo)
  let heartbeat: Heartbeat | undefined
  const follower = openFollower(options, parts, held, work, place, (sentAt) => heartbeat?.heard(sentAt))
  const broken = new AbortController()
  held.reader.broken().catch((error: unknown) => broken.abort(error))
  const turns = openTurns(options, parts, held, work, broken.signal)
  let left: AlteredTable | undefined
  const tables = watchTables({
    sql: parts.sql,
    source: options.name,
    publication: options.publication,
    serverVersion: parts.inspection.server.version,
    tables: parts.inspection.tables,
    types: parts.inspection.types,
    publishing,
    onNotice,
    onAltered(altered) {
      left = altered
      // Whoever waits for the next messages hears of it.
      held.reader.close().catch(() => {})
    },
    ...(options.tableLookMs && { everyMs: options.tableLookMs }),
  })
  let segment: Segment | undefined
  try {
    while (!signal.aborted) {
      const isReread = place.rereadUpTo() !== undefined
      // Until then it may turn out that this is another history, in which nothing is to be written.
      if (!isReread && heartbeat === undefined) {
        heartbeat = openHeartbeat(options, parts)
        parts.context.onStreaming()
        void writeEpochCommit(parts.sql, held, onNotice, signal)
      }
      if (!isReread) segment ??= await turns.next()
      const batch = await nextBatch(held, isReread || segment !== undefined || work.open().length > 0, signal).catch(
        (error: unknown) => left ?? Promise.reject(error),
      )
      if (batch === undefined) return
      if (batch instanceof AlteredTable) {
        // The log does not say it: whatever is to be set right first, nothing but what is stored remembers it.
        yield forget(work, batch)
        await requireSuitable(batch, () => inspect(parts.sql, options.name, options.entities))
        throw batch
      }
      follower.startBatch(parts.now())
      for (let index = 0; index < batch.length; ) {
        const out: SourceEvent[] = []
        const reread = place.rereadUpTo()
        // As it is now: while what comes of it is handed out, the point may become known.
        const bound = reread ?? segment?.bound()
        const stopped = await consume(follower, batch, index, bound, out)
        index = stopped.index
        if (reread !== undefined && !('error' in stopped)) {
          // All that came is below the commit, and so on the topics already.
          if (stopped.why === 'bound' && place.rereadUpTo() !== undefined) yield* leaveHistory(options, held, onNotice)
          yield place.progress()
          continue
        }
        if (reread !== undefined) out.length = 0
        if (!('error' in stopped) && stopped.why === 'request') out.push(...takeRequest(options, work, stopped.request))
        out.push(...place.progress())
        if (out.length > 0) yield out
        if ('error' in stopped) {
          if (stopped.error instanceof OtherHistory) yield* leaveHistory(options, held, onNotice)
          if (stopped.error instanceof AlteredTable) yield await forgetAltered(options, parts, work, stopped.error)
          throw stopped.error
        }
        if (signal.aborted) return
        if (stopped.why === 'truncate') for (const emptied of stopped.emptied) yield* emptyTable(parts.context, emptied)
        if (segment === undefined || stopped.why !== 'bound') continue
        // A keep-alive while the point is unknown needs no waiting; a commit does.
        if (!segment.isKnown() && index === batch.length) continue
        const point = await turns.point(segment, held.reader.broken())
        if (point === undefined) segment = undefined
        // Not all below the point was consumed yet.
        if (segment === undefined || point === undefined || bound === undefined || point > bound) continue
        place.cover(point, null)
        // What comes now has the point's version: the log before it must not be published once more, behind it, after a crash.
        yield [...place.progress(), { kind: 'settle' }]
        yield* segment.events()
        if (signal.aborted) return
        await segment.end()
        turns.done(segment)
        segment = undefined
      }
    }
  } catch (error) {
    // A connection that an abort closed.
    if (signal.aborted) return
    // What ended a segment with the stream is not the reason.
    const isCalledOff = broken.signal.aborted && (error as { code?: unknown }).code === 'source-unreachable'
    throw isCalledOff ? broken.signal.reason : error
  } finally {
    heartbeat?.close()
    tables.close()
    await segment?.end()
  }
}

/**
 * What to store for an altered table that fits: its entity has no snapshot any more, so the next start takes one.
 * @throws TributaryError `source-unsuitable` when it does not fit
 */
async function forgetAltered(
  options: PostgresSourceOptions,
  { sql }: CaptureParts,
  work: SnapshotWork,
  altered: AlteredTable,
): Promise<readonly SourceEvent[]> {
  await requireSuitable(altered, () => inspect(sql, options.name, options.entities))
  return forget(work, altered)
}

function forget(work: SnapshotWork, { entities }: AlteredTable): readonly SourceEvent[] {
  return entities.map((entity) => work.forget(entity))
}

/**
 * How the tables are published, looked at while the slot is held: what is read from now on is newer than that.
 * @throws TributaryError `source-unsuitable` when the publication was altered since it was prepared, as while this process waited as a standby
 */
async function lookAtPublication(
  { name, publication }: PostgresSourceOptions,
  { sql, inspection }: CaptureParts,
): Promise<Publishing> {
  // First how, then whether that is enough: what is altered in between, a later look finds to be altered.
  const publishing = await loadPublishing(sql, inspection.server.version, publication, inspection.tables)
  const findings = await examinePublication(sql, publication, inspection)
  if (findings.length > 0) throw unsuitable(name, findings)
  return publishing
}

/** A new epoch begins with the next start; held for a person, nothing is stored, and the next start finds the same. */
async function* leaveHistory(
  { name, onLostHistory }: PostgresSourceOptions,
  { history, start }: Held,
  onNotice: OnNotice,
): AsyncGenerator<readonly SourceEvent[], never> {
  const why = 'the server was set back in time: its log does not hold a transaction that was captured'
  if (onLostHistory === 'hold') throw heldError(name, why)
  const epoch = history.epoch + 1
  onNotice(lostNotice(name, why, epoch))
  yield [{ kind: 'state', name: 'history', value: { ...history, epoch, start: String(start) } }]
  throw new TributaryError('history-lost', `source "${name}": ${why}. It starts again with a new epoch.`)
}

function openHeartbeat(options: PostgresSourceOptions, { sql, onNotice, now }: CaptureParts): Heartbeat {
  return startHeartbeat({
    sql,
    source: options.name,
    slot: options.slot,
    everyMs: options.heartbeatMs,
    memory: options.memory,
    onNotice,
    now,
    ...(options.onHeartbeat && { onHeard: options.onHeartbeat }),
  })
}

function openFollower(
  options: PostgresSourceOptions,
  { sql, inspection, onNotice, now }: CaptureParts,
  held: Held,
  work: SnapshotWork,
  place: PlaceTracker,
  onHeartbeat: (sentAtMicros: bigint) => void,
): StreamFollower {
  return followStream({
    source: options.name,
    slot: options.slot,
    epoch: BigInt(held.history.epoch),
    tables: inspection.tables,
    types: inspection.types,
    neededFrom: work.neededFrom,
    loadTypes: (oids, known) => loadTypes(sql, oids, known),
    onRelation: (table) => recheck(sql, table, inspection.types, onNotice),
    onCovered: place.cover,
    onMessage({ prefix, content }) {
      const sentAt = prefix === HEARTBEAT_PREFIX ? parseHeartbeat(content.toString(), options.slot) : undefined
      if (sentAt !== undefined) onHeartbeat(sentAt)
    },
    onInvalidRequest: tellRefused(options.name, onNotice, now),
  })
}

async function consume(
  follower: StreamFollower,
  batch: readonly Buffer[],
  index: number,
  bound: bigint | undefined,
  out: SourceEvent[],
): Promise<Stop | { readonly index: number; readonly error: unknown }> {
  try {
    return await follower.consume(batch, index, bound, out)
  } catch (error) {
    // What came before the trouble is right, and is handed out before it is thrown.
    return { index: batch.length, error }
  }
}

function takeRequest(
  { entities }: PostgresSourceOptions,
  work: SnapshotWork,
  { id, entity, where }: SnapshotAsked,
): readonly SourceEvent[] {
  const declared = entities.find((one) => one.entity.name === entity)!.entity
  try {
    return work.ask({ id, where: where.map((one) => checkCondition(one, declared)) }, entity, null)
  } catch (error) {
    if (!(error instanceof TributaryError)) throw error
    return work.ask({ id, where: [] }, entity, error.message)
  }
}

/** When the snapshots have their turns; a stream that broke ends a segment at once. */
function openTurns(
  options: PostgresSourceOptions,
  parts: CaptureParts,
  held: Held,
  work: SnapshotWork,
  broken: AbortSignal,
) {
  const { chunkRows, rowsPerSecond, tables } = options.snapshot
  const signal = AbortSignal.any([parts.signal, broken])
  const start = () =>
    startSegment({
      ...parts,
      signal,
      url: options.url,
      slot: options.slot,
      source: options.name,
      epoch: BigInt(held.history.epoch),
      types: parts.inspection.types,
      sessions: tables,
      chunkRows: Math.min(chunkRows, rowsPerSecond ?? Number.POSITIVE_INFINITY),
      rowsMax: rowsPerSecond,
      work,
      capturedAt: parts.now,
      onProgress: options.onSnapshotProgress ?? (() => {}),
    })
  return planTurns({ ...parts, signal, source: options.name, work, rowsPerSecond, start })
}

/**
 * @param isAsking whether to ask an idle server how far it has read
 * @returns undefined when `signal` was aborted
 */
async function nextBatch(
  { reader }: Held,
  isAsking: boolean,
  signal: AbortSignal,
): Promise<readonly Buffer[] | undefined> {
  try {
    if (!isAsking) return await reader.read()
    const batch = await reader.read(POLL_MS)
    // An idle server says nothing; asked, it says how far it has read, which may be the point.
    if (batch.length === 0) reader.requestKeepAlive()
    return batch
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  }
}

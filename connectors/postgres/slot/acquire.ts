import { TributaryError } from '../../../schemas/errors.ts'
import { pause } from '../../pause.ts'
import type { CaptureContext, StoredState } from '../../source.ts'
import { openReplication, type Sql } from '../connection.ts'
import { failure } from '../failure.ts'
import { parseLsn } from '../lsn.ts'
import type { OnNotice } from '../notice.ts'
import { openReader, type Reader } from '../stream/reader.ts'
import {
  capturedUpTo,
  type History,
  isRecoveryAsked,
  type Mark,
  parseHistory,
  parseMark,
  whyBeyondFork,
  whyLost,
} from './history.ts'
import {
  checkOwner,
  createSlot,
  describeHolder,
  dropSlot,
  isGone,
  loadPlace,
  loadSlot,
  type Place,
  type SlotFacts,
  tellIfWaiting,
} from './slot.ts'

/** After this long a notice says who holds the slot: whoever started this one by hand should hear why it waits. */
const HOLDER_NOTICE_MS = 8_000
const SLOT_POLL_MS = 250

export interface AcquireOptions {
  readonly sql: Sql
  readonly url: string
  readonly application: string
  readonly source: string
  readonly slot: string
  readonly publication: string
  /** What follows when the history cannot be continued. */
  readonly onLostHistory: 'resnapshot' | 'hold'
  readonly entities: readonly string[]
  readonly context: CaptureContext
  readonly onNotice: OnNotice
  readonly settled: () => bigint
  readonly signal: AbortSignal
}

/** The slot, held by our reader and no other, and the history that its changes belong to. */
export interface Held {
  readonly reader: Reader
  readonly stored: StoredState
  readonly history: History
  /** Whether {@link history} has to be stored before anything else. */
  readonly isNew: boolean
  /** A commit that the slot's log will show again, when it stands before it; else another history has taken its place. */
  readonly expected: Mark | undefined
}

/**
 * Takes the slot, makes it where there is none, waits while another process reads from it, and decides whether its history goes on from
 * what was stored or a new epoch begins.
 * @returns undefined when `signal` was aborted
 * @throws TributaryError `history-lost` when a person is to decide, `source-unsuitable`, `source-unreachable`, `position-corrupt`
 */
export async function acquire(options: AcquireOptions): Promise<Held | undefined> {
  const { sql, slot, signal } = options
  // Why the slot had to be made again; to what was made again the later question would get another answer.
  let known: string | undefined
  while (!signal.aborted) {
    const facts = await loadSlot(sql, slot)
    const place = await loadPlace(sql)
    if (facts !== undefined) checkOwner(slot, facts, place.database)
    if (facts === undefined || isGone(facts)) known = (await makeSlot(options, facts, place)) ?? known
    const reader = await openWhenFree(options)
    if (reader === 'missing') {
      await pause(SLOT_POLL_MS, signal)
      continue
    }
    if (reader === undefined) return undefined
    try {
      return await decide(options, reader, known)
    } catch (error) {
      await reader.close()
      throw error
    }
  }
  return undefined
}

/** @returns why the history is lost, when there was one */
async function makeSlot(
  options: AcquireOptions,
  facts: SlotFacts | undefined,
  place: Place,
): Promise<string | undefined> {
  const { sql, slot, signal } = options
  const stored = await options.context.loadState()
  const history = parseHistory(stored)
  const why = history === null ? undefined : whyLost({ slot, facts, place, history, stored, fork: undefined })
  if (why !== undefined && history !== null) refuseIfHeld(options, stored, history, why)
  if (facts !== undefined) await dropSlot(sql, slot)
  await tellIfWaiting(sql, `the replication slot "${slot}"`, options.onNotice, () =>
    createSlot(sql, slot, signal),
  ).catch((error: unknown) => {
    // Another capture process was quicker: who gets to read from it decides.
    if (!isSqlState((error as Error).cause, '42710')) throw error
  })
  return why
}

async function decide(options: AcquireOptions, reader: Reader, known: string | undefined): Promise<Held> {
  const { sql, slot, context } = options
  const facts = await loadSlot(sql, slot)
  const place = await loadPlace(sql)
  const stored = await context.loadState()
  const before = parseHistory(stored)
  const begin = (epoch: number): Held => {
    const start = String(facts?.confirmed_flush_lsn ?? place.end)
    const history = { epoch, system: place.system, timeline: place.timeline, start }
    return { reader, stored, history, isNew: true, expected: undefined }
  }
  if (before === null) return begin(1)
  const why = known ?? (await findWhyLost(options, facts, place, before, stored))
  if (why !== undefined) {
    refuseIfHeld(options, stored, before, why)
    options.onNotice({
      code: 'history-lost',
      level: 'warn',
      message:
        `source "${options.source}": ${why}. Changes may be missing, so a new epoch (${before.epoch + 1}) begins: every table is read again, ` +
        'and what vanished meanwhile is deleted',
    })
    return begin(before.epoch + 1)
  }
  const history = { ...before, timeline: place.timeline }
  const mark = parseMark(stored.position?.mark, before.epoch)
  const isReread = mark !== undefined && facts?.confirmed_flush_lsn != null && facts.confirmed_flush_lsn < mark.end
  return {
    reader,
    stored,
    history,
    isNew: history.timeline !== before.timeline,
    expected: isReread ? mark : undefined,
  }
}

function refuseIfHeld(options: AcquireOptions, stored: StoredState, history: History, why: string): void {
  if (options.onLostHistory !== 'hold' || isRecoveryAsked(stored, history)) return
  throw new TributaryError(
    'history-lost',
    `source "${options.source}" is held: ${why}. Changes may be missing. To read every table again and delete what vanished meanwhile, run: ` +
      `tributary recover ${options.source}`,
  )
}

async function findWhyLost(
  options: AcquireOptions,
  facts: SlotFacts | undefined,
  place: Place,
  history: History,
  stored: StoredState,
): Promise<string | undefined> {
  const { slot } = options
  const isMoved = place.system === history.system && place.timeline !== history.timeline
  const fork = isMoved ? await loadFork(options, place.timeline, history.timeline) : undefined
  const why = whyLost({ slot, facts, place, history, stored, fork })
  if (why !== undefined || fork === undefined || fork === null) return why
  return whyBeyondFork(place, fork, await newestPublished(options, history.epoch, capturedUpTo(history, stored)))
}

/** The newest position of `epoch` on the entity topics, at least `floor`. */
async function newestPublished({ context, entities }: AcquireOptions, epoch: number, floor: bigint): Promise<bigint> {
  let newest = floor
  for (const entity of entities)
    for await (const { records } of context.published(entity, await context.publishedRange(entity)))
      for (const { version } of records)
        if (version.epoch === BigInt(epoch) && version.position > newest) newest = version.position
  return newest
}

/** Where `to` left the line of `from`; null when it does not come from it. */
async function loadFork(options: AcquireOptions, to: number, from: number): Promise<bigint | null> {
  const connection = openReplication(options.url, options.application, 0)
  try {
    const [row] = await connection.sql.unsafe<{ content: string | Uint8Array }[]>(`TIMELINE_HISTORY ${to}`)
    return parseFork(typeof row!.content === 'string' ? row!.content : Buffer.from(row!.content).toString('utf8'), from)
  } catch (error) {
    throw failure(`reading the history of timeline ${to}`, connection.lastWords() ?? error)
  } finally {
    await connection.close()
  }
}

/** A timeline's history has a line for each one it comes from: its number, and where it was left. Pure. */
export function parseFork(content: string, from: number): bigint | null {
  for (const line of content.split('\n')) {
    const [timeline, position] = line.trim().split(/\s+/)
    if (Number(timeline) === from) return parseLsn(position ?? '') ?? null
  }
  return null
}

/** Starts streaming once no other process holds the slot. */
async function openWhenFree(options: AcquireOptions): Promise<Reader | 'missing' | undefined> {
  const { sql, slot, signal, settled } = options
  const noticeAt = performance.now() + HOLDER_NOTICE_MS
  let told = false
  while (!signal.aborted) {
    try {
      const { url, application, publication } = options
      return await openReader({ url, application, slot, publication, settled })
    } catch (error) {
      // Dropped meanwhile, by whoever makes it anew.
      if (isSqlState(error, '42704')) return 'missing'
      const failed = failure(`starting to stream from slot "${slot}"`, error)
      if (failed.code !== 'slot-in-use') throw failed
    }
    if (!told && performance.now() >= noticeAt) {
      told = true
      options.onNotice({
        code: 'slot-in-use',
        message:
          `source "${options.source}" waits: replication slot "${slot}" is read by ${await describeHolder(sql, slot)}. There is one capture ` +
          'process a source; this one takes over when the other ends',
      })
    }
    await pause(SLOT_POLL_MS, signal)
  }
  return undefined
}

function isSqlState(error: unknown, state: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === state
}

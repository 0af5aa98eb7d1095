import { systemCode } from '../../../schemas/errors.ts'
import type { Version } from '../../../schemas/version.ts'
import { pause } from '../../pause.ts'
import type { CaptureContext, StoredState } from '../../source.ts'
import { openReplication, type Sql } from '../connection.ts'
import { failure } from '../failure.ts'
import { parseLsn } from '../lsn.ts'
import type { OnNotice } from '../notice.ts'
import { openReader, type Reader } from '../stream/reader.ts'
import {
  beginNotice,
  capturedCommit,
  capturedUpTo,
  type Evidence,
  type History,
  heldError,
  isBeyond,
  isRecoveryAsked,
  lostNotice,
  parseHistory,
  whyBeyondFork,
  whyLost,
} from './history.ts'
import { newestPublished } from './newest-published.ts'
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
  /** The slot is read by our server process of this number. */
  readonly onHeld: (pid: number) => void
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
  /** Where the slot stood when it was taken: its log goes on from there. */
  readonly start: bigint
  /** How far this history was captured; nothing before it is stored again. */
  readonly captured: bigint
  /** Whether the slot stands before the last commit captured, so that its log will show that one again, if it is the same history. */
  readonly isBefore: boolean
}

/** Why a slot had to be made again, and the epoch that it is said of. */
interface Known {
  readonly epoch: number
  readonly why: string
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
  let known: Known | undefined
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
      options.onHeld(reader.pid)
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
): Promise<Known | undefined> {
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
  return why === undefined || history === null ? undefined : { epoch: history.epoch, why }
}

async function decide(options: AcquireOptions, reader: Reader, known: Known | undefined): Promise<Held> {
  const { sql, slot, context, source, entities } = options
  const facts = await loadSlot(sql, slot)
  const place = await loadPlace(sql)
  const stored = await context.takeOver()
  const before = parseHistory(stored)
  const { system, timeline } = place
  const start = facts?.confirmed_flush_lsn ?? place.end
  const begin = (epoch: number): Held => {
    const history = { epoch, system, timeline, start: String(start) }
    return { reader, stored, history, isNew: true, start, captured: start, isBefore: false }
  }
  // Of an entity that was not captured so far, others may have written to its topic: another source, or this one under another name.
  const others = await newestPublished(
    context,
    entities.filter((entity) => !stored.values.has(`snapshot/${entity}`)),
  )
  const othersEpoch = Number(others?.epoch ?? 0n)
  if (before === null) {
    if (othersEpoch > 0) options.onNotice(beginNotice(source, othersEpoch + 1))
    return begin(othersEpoch + 1)
  }
  const nextEpoch = Math.max(before.epoch, othersEpoch) + 1
  const fork = await loadFork(options, place, before)
  // Said of an epoch that has ended meanwhile, it was answered: by another capture process, while this one waited.
  const told = known?.epoch === before.epoch ? known.why : undefined
  const why = told ?? (await findWhyLost(options, { slot, facts, place, history: before, stored, fork }))
  if (why !== undefined) {
    refuseIfHeld(options, stored, before, why)
    options.onNotice(lostNotice(source, why, nextEpoch))
    return begin(nextEpoch)
  }
  const captured = capturedUpTo(before, stored, fork ?? undefined)
  if (others !== undefined && isBeyond(others, before.epoch, captured)) {
    options.onNotice(beginNotice(source, nextEpoch))
    return begin(nextEpoch)
  }
  const commit = capturedCommit(before, stored)
  const isNew = timeline !== before.timeline
  const history = isNew ? { ...before, timeline, start: String(captured) } : before
  return { reader, stored, history, isNew, start, captured, isBefore: commit !== undefined && start < commit.end }
}

function refuseIfHeld(options: AcquireOptions, stored: StoredState, history: History, why: string): void {
  if (options.onLostHistory === 'hold' && !isRecoveryAsked(stored, history)) throw heldError(options.source, why)
}

async function findWhyLost(options: AcquireOptions, evidence: Evidence): Promise<string | undefined> {
  const { place, history, fork } = evidence
  const why = whyLost(evidence)
  if (why !== undefined || fork === undefined || fork === null) return why
  const isOurs = ({ epoch }: Version) => epoch === BigInt(history.epoch)
  const newest = await newestPublished(options.context, options.entities, isOurs)
  return whyBeyondFork(place, fork, newest?.position ?? 0n)
}

/** Where the present timeline left that of `history`: null when it does not come from it, undefined when both are the same. */
async function loadFork(
  options: AcquireOptions,
  { system, timeline }: Place,
  history: History,
): Promise<bigint | null | undefined> {
  if (system !== history.system || timeline === history.timeline) return undefined
  const connection = openReplication(options.url, options.application, 0)
  try {
    const [row] = await connection.sql.unsafe<{ content: string | Uint8Array }[]>(`TIMELINE_HISTORY ${timeline}`)
    const { content } = row!
    return parseFork(typeof content === 'string' ? content : Buffer.from(content).toString('utf8'), history.timeline)
  } catch (error) {
    throw failure(`reading the history of timeline ${timeline}`, connection.lastWords() ?? error)
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

/** Starts streaming once no other process holds the slot; `missing` when there is none that can be read. */
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
      // Given up by the server since it was looked at.
      const facts = isSqlState(error, '55000') ? await loadSlot(sql, slot) : undefined
      if (facts !== undefined && isGone(facts)) return 'missing'
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
  return systemCode(error) === state
}

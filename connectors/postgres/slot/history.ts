import { z } from 'zod'
import { TributaryError } from '../../../schemas/errors.ts'
import type { Version } from '../../../schemas/version.ts'
import type { StoredState } from '../../source.ts'
import { formatLsn } from '../lsn.ts'
import type { Notice } from '../notice.ts'
import { isGone, type Place, type SlotFacts } from './slot.ts'

/** The history that a source's versions belong to. Stored under `history`. */
export interface History {
  /** Grows when the history cannot be continued. */
  readonly epoch: number
  /** The cluster's system identifier. */
  readonly system: string
  readonly timeline: number
  /** Where the slot stood when the epoch began, or how far it was captured when its timeline did, as a decimal LSN. */
  readonly start: string
}

const historySchema = z.object({
  epoch: z.int().positive(),
  system: z.string(),
  timeline: z.int().positive(),
  start: z.string().regex(/^\d{1,20}$/),
})

/**
 * The stored history; null on the very first start.
 * @throws TributaryError `position-corrupt`
 */
export function parseHistory(stored: StoredState): History | null {
  const value = stored.values.get('history')
  if (value === undefined) return null
  const parsed = historySchema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new TributaryError(
    'position-corrupt',
    'The stored history of this source cannot be read, so nothing was captured; its slot keeps the changes. Write the last good one again.',
  )
}

/** Whether a person has asked for a new beginning of the epoch that is stored (`tributary recover`). */
export function isRecoveryAsked(stored: StoredState, history: History): boolean {
  const asked = z.object({ epoch: z.int() }).safeParse(stored.values.get('recover'))
  return asked.success && asked.data.epoch === history.epoch
}

/** What is known when it is decided whether a history goes on. */
export interface Evidence {
  readonly slot: string
  /** Undefined when the slot does not exist. */
  readonly facts: SlotFacts | undefined
  readonly place: Place
  readonly history: History
  readonly stored: StoredState
  /** Where the present timeline left the stored one; null when it never was on it. Undefined when both are the same. */
  readonly fork: bigint | null | undefined
}

/**
 * Why the history cannot be continued, as the end of a sentence; undefined when nothing speaks against it. Pure.
 * A changed timeline leaves one question open: whether a change beyond the fork was published ({@link whyBeyondFork}).
 */
export function whyLost({ slot, facts, place, history, stored, fork }: Evidence): string | undefined {
  if (isRecoveryAsked(stored, history)) return 'a person asked for a new beginning'
  if (place.system !== history.system)
    return `the server is another database cluster (system identifier ${place.system}) than the one captured so far (${history.system})`
  const isMoved = place.timeline !== history.timeline
  const captured = capturedUpTo(history, stored, fork ?? undefined)
  const read = readUpTo(history, stored)
  const seen = read > captured ? read : captured
  if (!isMoved && place.end < seen)
    return `the server's log ends at ${formatLsn(place.end)}, before ${formatLsn(seen)} where it was captured: it was set back in time`
  if (fork === null)
    return `the server is on timeline ${place.timeline}, which does not come from timeline ${history.timeline} that was captured: it was set back in time`
  // Beyond it the position may be: the rest of the log that a failover lost held nothing of ours.
  const commit = capturedCommit(history, stored)?.end ?? BigInt(history.start)
  if (fork !== undefined && commit > fork)
    return (
      `the server is on timeline ${place.timeline}, which left timeline ${history.timeline} at ${formatLsn(fork)}, before ` +
      `${formatLsn(commit)} where it was captured: a failover lost changes that were published`
    )
  if (fork !== undefined && read > fork)
    return (
      `the server is on timeline ${place.timeline}, which left timeline ${history.timeline} at ${formatLsn(fork)}, before ` +
      `${formatLsn(read)} up to where rows were read to complete changes: a failover may have lost values that were published`
    )
  if (facts === undefined)
    return (
      `replication slot "${slot}" does not exist any more` +
      (isMoved ? `: a failover to timeline ${place.timeline} did not bring it along` : '')
    )
  if (isGone(facts))
    return `the server gave replication slot "${slot}" up (wal_status ${facts.wal_status ?? 'unknown'}, ${facts.invalidation_reason ?? 'its log was removed'})`
  const confirmed = facts.confirmed_flush_lsn
  if (confirmed !== null && confirmed > captured)
    return (
      `replication slot "${slot}" stands at ${formatLsn(confirmed)}, beyond ${formatLsn(captured)} where it was captured: it was made anew, or ` +
      'something else moved it'
    )
  return undefined
}

/**
 * How far the history was captured. A position that was stored in another epoch or on another timeline says nothing here, as the same
 * numbers mean other places of the log.
 * @param fork where the history's timeline was left
 */
export function capturedUpTo(history: History, stored: StoredState, fork?: bigint): bigint {
  const start = BigInt(history.start)
  const mark = parseMark(stored.position?.mark)
  const isOurs = mark === undefined || (mark.epoch === history.epoch && mark.timeline === history.timeline)
  const position = isOurs ? (stored.position?.position ?? 0n) : 0n
  const captured = position > start ? position : start
  return fork !== undefined && fork < captured ? fork : captured
}

/** The last commit of this epoch that was captured; undefined when none is known. */
export function capturedCommit({ epoch }: History, stored: StoredState): Commit | undefined {
  const mark = parseMark(stored.position?.mark)
  return mark?.epoch === epoch ? mark.commit : undefined
}

/** Up to where rows were read ahead of what was captured; 0 when none were, in this epoch and on its timeline. */
export function readUpTo({ epoch, timeline }: History, stored: StoredState): bigint {
  const mark = parseMark(stored.position?.mark)
  return mark?.epoch === epoch && mark.timeline === timeline ? (mark.readUpTo ?? 0n) : 0n
}

/** What {@link whyLost} left open: whether the topics hold a change that the new timeline never had. Pure. */
export function whyBeyondFork(place: Place, fork: bigint, newestPublished: bigint): string | undefined {
  if (newestPublished < fork) return undefined
  return (
    `the server is on timeline ${place.timeline}, which began at ${formatLsn(fork)}, and a change at ${formatLsn(newestPublished)} was published: ` +
    'a failover lost it'
  )
}

/**
 * The end of a commit in the log, and its transaction. A server set back that is asked to do the same things again has the same transaction
 * number at the same place; only the time tells them apart.
 */
export interface Commit {
  readonly end: bigint
  readonly xid: number
  /** Microseconds since 1970-01-01 UTC. */
  readonly committedAt: bigint
}

/** Stored with a position: where it belongs, and the last commit that was captured. */
export interface Mark {
  readonly epoch: number
  readonly timeline: number
  /** Undefined before the first one of the epoch. */
  readonly commit: Commit | undefined
  /** Where rows were read that completed changes: up to here the log may show in what was published. Undefined when it was not ahead. */
  readonly readUpTo?: bigint | undefined
}

export function formatMark({ epoch, timeline, commit, readUpTo }: Mark): string {
  const captured = commit === undefined ? '' : `/${commit.end}/${commit.xid}/${commit.committedAt}`
  return `${epoch}/${timeline}${captured}${readUpTo === undefined ? '' : `/read/${readUpTo}`}`
}

/** @returns undefined for none */
export function parseMark(text: string | null | undefined): Mark | undefined {
  const match = /^(\d{1,15})\/(\d{1,10})(?:\/(\d{1,20})\/(\d{1,10})\/(\d{1,20}))?(?:\/read\/(\d{1,20}))?$/.exec(
    text ?? '',
  )
  if (match === null) return undefined
  const [, epoch, timeline, end, xid, at, read] = match
  const commit = end === undefined ? undefined : { end: BigInt(end), xid: Number(xid), committedAt: BigInt(at!) }
  return {
    epoch: Number(epoch),
    timeline: Number(timeline),
    commit,
    readUpTo: read === undefined ? undefined : BigInt(read),
  }
}

/**
 * Whether a commit fits the last one captured, when the slot stands before that and so its log is read again. Pure.
 * @returns `before` it, the `same` commit, or `other`: this is not the history that was captured
 */
export function compareToMark(captured: Commit, { end, xid, committedAt }: Commit): 'before' | 'same' | 'other' {
  if (end < captured.end) return 'before'
  return end === captured.end && xid === captured.xid && committedAt === captured.committedAt ? 'same' : 'other'
}

/**
 * Whether a record is newer than what this history goes on with: then what comes would be dropped as older, at every subscriber. What this
 * source itself published of an entity, before it was left out for a while, lies before `captured`. Pure.
 */
export function isBeyond(newest: Version, epoch: number, captured: bigint): boolean {
  const ours = BigInt(epoch)
  return newest.epoch > ours || (newest.epoch === ours && newest.position > captured)
}

/** What is told when a new epoch begins because of what others published. Pure. */
export function beginNotice(source: string, epoch: number): Notice {
  return {
    code: 'epoch-begins',
    message:
      `source "${source}": the topics of its entities hold records that it did not write, or does not know of any more: of another source, of ` +
      `this one under another name, or of before its stored positions were lost. So that none of them counts as newer, epoch ${epoch} begins: ` +
      'every table is read, and what vanished meanwhile is deleted',
  }
}

/** What is told when a new epoch begins. Pure. */
export function lostNotice(source: string, why: string, epoch: number): Notice {
  return {
    code: 'history-lost',
    level: 'warn',
    message:
      `source "${source}": ${why}. Changes may be missing, so a new epoch (${epoch}) begins: every table is read again, and what vanished ` +
      'meanwhile is deleted',
  }
}

/** What is thrown, at each start, until a person decides. Pure. */
export function heldError(source: string, why: string): TributaryError {
  return new TributaryError(
    'history-lost',
    `source "${source}" is held: ${why}. Changes may be missing. To read every table again and delete what vanished meanwhile, run: ` +
      `tributary recover ${source}`,
  )
}

import { z } from 'zod'
import { TributaryError } from '../../../schemas/errors.ts'
import type { StoredState } from '../../source.ts'
import { formatLsn } from '../lsn.ts'
import { isGone, type Place, type SlotFacts } from './slot.ts'

/** The history that a source's versions belong to. Stored under `history`. */
export interface History {
  /** Grows when the history cannot be continued. */
  readonly epoch: number
  /** The cluster's system identifier. */
  readonly system: string
  readonly timeline: number
  /** Where the slot stood when the epoch began, as a decimal LSN. */
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
 * A changed timeline leaves one question open: whether a change beyond the fork was published ({@link isBeyondFork}).
 */
export function whyLost({ slot, facts, place, history, stored, fork }: Evidence): string | undefined {
  if (isRecoveryAsked(stored, history)) return 'a person asked for a new beginning'
  if (place.system !== history.system)
    return `the server is another database cluster (system identifier ${place.system}) than the one captured so far (${history.system})`
  const captured = capturedUpTo(history, stored)
  if (place.end < captured)
    return `the server's log ends at ${formatLsn(place.end)}, before ${formatLsn(captured)} where it was captured: it was set back in time`
  if (fork === null)
    return `the server is on timeline ${place.timeline}, which does not come from timeline ${history.timeline} that was captured: it was set back in time`
  if (fork !== undefined && captured > fork)
    return (
      `the server is on timeline ${place.timeline}, which left timeline ${history.timeline} at ${formatLsn(fork)}, before ` +
      `${formatLsn(captured)} where it was captured: a failover lost changes that were published`
    )
  if (facts === undefined) return `replication slot "${slot}" does not exist any more`
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

/** The last position that was captured for certain. */
export function capturedUpTo(history: History, stored: StoredState): bigint {
  const start = BigInt(history.start)
  const position = stored.position?.position ?? 0n
  return position > start ? position : start
}

/** What {@link whyLost} left open: whether the topics hold a change that the new timeline never had. Pure. */
export function whyBeyondFork(place: Place, fork: bigint, newestPublished: bigint): string | undefined {
  if (newestPublished < fork) return undefined
  return (
    `the server is on timeline ${place.timeline}, which began at ${formatLsn(fork)}, and a change at ${formatLsn(newestPublished)} was published: ` +
    'a failover lost it'
  )
}

/** A commit that was captured: any other history with the same positions would not have the same transaction there. */
export interface Mark {
  readonly epoch: number
  readonly end: bigint
  readonly xid: number
}

export function formatMark({ epoch, end, xid }: Mark): string {
  return `${epoch}/${end}/${xid}`
}

/** @returns undefined for no mark, or one of another epoch */
export function parseMark(text: string | null | undefined, epoch: number): Mark | undefined {
  const match = /^(\d{1,15})\/(\d{1,20})\/(\d{1,10})$/.exec(text ?? '')
  if (match === null || Number(match[1]) !== epoch) return undefined
  return { epoch, end: BigInt(match[2]!), xid: Number(match[3]) }
}

/**
 * Whether a commit fits the mark, when the slot stands before the mark and so its log is read again. Pure.
 * @returns `before` it, the `same` commit, or `other`: this is not the history that was captured
 */
export function compareToMark(mark: Mark, end: bigint, xid: number): 'before' | 'same' | 'other' {
  if (end < mark.end) return 'before'
  return end === mark.end && xid === mark.xid ? 'same' : 'other'
}

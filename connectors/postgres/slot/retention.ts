import type { Notice } from '../notice.ts'

/**
 * When to warn of the log that the server keeps for a slot, and what to say of it. Pure.
 *
 * A server with a limit (`max_slot_wal_keep_size`) gives a slot up that runs past it, and changes are lost; one without fills its disk.
 */

/** What one look at the server tells; sizes in bytes. */
export interface Retention {
  /** From the slot's restart_lsn to the end of the log. */
  readonly retainedBytes: number
  /** Of these, what the slot's reader has not confirmed. */
  readonly unconfirmedBytes: number
  /** Of these, what the server has not sent; null while nobody reads. */
  readonly unsentBytes: number | null
  /** How much the server keeps at most; null without a limit. */
  readonly limitBytes: number | null
  /** How much may still be written before the next checkpoint can give the slot up; null without a limit. */
  readonly safeBytes: number | null
  /** reserved, extended, unreserved or lost. */
  readonly walStatus: string
  /** Why the server gave the slot up; null while it has not. */
  readonly invalidation: string | null
  readonly active: boolean
  readonly oldestTransaction: OpenTransaction | null
}

/** A transaction that has written something and not ended: the slot needs the log from its beginning on. */
export interface OpenTransaction {
  /** The server process; null for a prepared transaction, which has none. */
  readonly pid: number | null
  /** The name that the client gave itself; of a prepared transaction, its number. */
  readonly application: string
  /** Null where the role may not see it. */
  readonly ageSeconds: number | null
}

/** What was told already. Starts as {@link UNTOLD}. */
export interface Told {
  /** How many of the thresholds. */
  readonly thresholds: number
  /** Whether the thresholds were those of a limit. */
  readonly limited: boolean
  /** That the slot is given up. */
  readonly lost: boolean
}

export const UNTOLD: Told = { thresholds: 0, limited: false, lost: false }

/** Shares of the limit: the first long before it, so that there are hours to act. */
const SHARES = [0.5, 0.75, 0.9] as const
/** Without a limit: the declared size, then each time this many times more. */
const GROWTH = 10
const GROWTHS_MAX = 6
/** A threshold is told again only once the log has fallen this far below it: otherwise a size that swings around it would be told each time. */
const REARM_SHARE = 0.8

/**
 * @param warnBytes where the warnings begin at a server without a limit
 * @returns what was told then, and what to tell now, if anything
 */
export function judgeRetention(
  slot: string,
  seen: Retention,
  told: Told,
  warnBytes: number,
): { readonly told: Told; readonly notice?: Notice } {
  if (seen.walStatus === 'lost' || seen.invalidation !== null) {
    if (told.lost) return { told }
    return { told: { ...told, lost: true }, notice: lostNotice(slot, seen) }
  }
  const limited = seen.limitBytes !== null
  const before = told.limited === limited ? told.thresholds : 0
  const thresholds = thresholdsOf(seen.limitBytes, warnBytes)
  const reached = seen.walStatus === 'unreserved' ? thresholds.length : countReached(thresholds, seen.retainedBytes, 1)
  // Unreserved: what the slot needs may go with the next checkpoint, whatever the size.
  const kept = Math.min(before, countReached(thresholds, seen.retainedBytes, REARM_SHARE))
  const now: Told = { thresholds: Math.max(reached, kept), limited, lost: false }
  if (reached > before) return { told: now, notice: retainedNotice(slot, seen) }
  if (before > 0 && now.thresholds === 0) return { told: now, notice: releasedNotice(slot, seen) }
  return { told: now }
}

function thresholdsOf(limitBytes: number | null, warnBytes: number): readonly number[] {
  if (limitBytes !== null) return SHARES.map((share) => share * limitBytes)
  return Array.from({ length: GROWTHS_MAX }, (_, power) => warnBytes * GROWTH ** power)
}

function countReached(thresholds: readonly number[], bytes: number, share: number): number {
  return thresholds.filter((threshold) => bytes >= threshold * share).length
}

function retainedNotice(slot: string, seen: Retention): Notice {
  const { retainedBytes, limitBytes } = seen
  const size = formatSize(retainedBytes)
  const keeps =
    limitBytes === null
      ? `keeps ${size} of log, and the server has no limit (max_slot_wal_keep_size) before its disk is full`
      : `keeps ${size} of log, ${Math.round((retainedBytes / limitBytes) * 100)} % of the ${formatSize(limitBytes)} after which the ` +
        `server gives it up and changes are lost${leftOf(seen)}`
  const { because, todo } = causeOf(seen)
  const orElse = limitBytes === null ? '' : ', or raise max_slot_wal_keep_size'
  return {
    code: 'wal-retained',
    level: 'warn',
    message: `replication slot "${slot}" ${keeps}: ${because}; ${todo}${orElse}`,
  }
}

function leftOf({ walStatus, safeBytes }: Retention): string {
  if (walStatus === 'unreserved') return ', which may be at its next checkpoint'
  return safeBytes === null ? '' : ` (${formatSize(Math.max(0, safeBytes))} more may be written until then)`
}

function releasedNotice(slot: string, { retainedBytes }: Retention): Notice {
  const message = `replication slot "${slot}" keeps ${formatSize(retainedBytes)} of log again, which is no reason to worry any more`
  return { code: 'wal-released', message }
}

function lostNotice(slot: string, { invalidation }: Retention): Notice {
  const why = invalidation ?? 'the log that it needs was removed'
  const message =
    `the server gave replication slot "${slot}" up (${why}), so that changes may be missing; see «A slot is lost» in docs/operating, and ` +
    'raise max_slot_wal_keep_size so that it lasts for the longest outage'
  return { code: 'slot-given-up', level: 'warn', message }
}

/** What the largest part of the retained log waits for. Pure. */
export function causeOf(seen: Retention): { readonly because: string; readonly todo: string } {
  const { retainedBytes, unconfirmedBytes, unsentBytes, oldestTransaction } = seen
  if (!seen.active) return { because: 'nobody reads it', todo: 'start the capture of this source' }
  if (unconfirmedBytes * 2 >= retainedBytes) {
    if (unsentBytes === null || unsentBytes * 2 >= unconfirmedBytes)
      return {
        because: `capture has yet to read ${formatSize(unsentBytes ?? unconfirmedBytes)} of it`,
        todo: 'look whether Kafka takes the records slowly, and whether one large transaction is under way',
      }
    return {
      because: `capture has read ${formatSize(unconfirmedBytes - unsentBytes)} of it that Kafka has not acknowledged yet`,
      todo: 'look whether Kafka is away or slow, or a snapshot holds the stream',
    }
  }
  if (oldestTransaction === null)
    return {
      because: 'capture has confirmed nearly all of it, and no transaction is open that needs it',
      todo: 'the server should let go of it with its next checkpoint',
    }
  const { ageSeconds } = oldestTransaction
  const age = ageSeconds === null ? '' : ` for ${formatAge(ageSeconds)}`
  if (oldestTransaction.pid === null)
    return {
      because: `the prepared transaction ${oldestTransaction.application} waits${age} and may still need it`,
      todo: 'commit it or roll it back (pg_prepared_xacts has its name)',
    }
  return {
    because: `a transaction of server process ${oldestTransaction.pid} (application ${oldestTransaction.application}) is open${age} and may still need it`,
    todo: `end it, if need be with pg_terminate_backend(${oldestTransaction.pid})`,
  }
}

const SIZE_UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const

/** As the server's own settings count: 1 MB is 1024 kB. */
export function formatSize(bytes: number): string {
  let size = bytes
  let unit = 0
  while (size >= 1024 && unit < SIZE_UNITS.length - 1) {
    size /= 1024
    unit++
  }
  return `${size >= 100 || unit === 0 ? Math.round(size) : Number(size.toFixed(1))} ${SIZE_UNITS[unit]}`
}

function formatAge(seconds: number): string {
  if (seconds < 120) return `${Math.max(0, Math.round(seconds))} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}

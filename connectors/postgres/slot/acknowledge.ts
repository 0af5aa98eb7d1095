/**
 * What may be acknowledged to the replication slot (guarantee: the source is never acknowledged beyond what Kafka holds).
 *
 * Two rules move `settled`:
 * - the pipeline settled a progress event: everything up to its position is durable
 * - a keep-alive told how far the server has read, at a moment when no transaction was open, and every progress handed out by then
 *   is settled. Without it a database whose traffic is in other tables would keep its log for ever.
 */
export interface Settlement {
  /** What the slot may forget. */
  readonly settled: bigint
  /** The last position handed out in a progress event. */
  readonly handedOut: bigint
  /** Whether events were made that no progress covers yet. */
  readonly uncovered: boolean
  /** What a keep-alive allows once `keepAliveAfter` is settled; 0 when there is nothing. */
  readonly keepAliveEnd: bigint
  readonly keepAliveAfter: bigint
}

/** @param confirmed what the slot has already confirmed */
export function startSettlement(confirmed: bigint): Settlement {
  return { settled: confirmed, handedOut: 0n, uncovered: false, keepAliveEnd: 0n, keepAliveAfter: 0n }
}

/** A transaction begins, or snapshot rows are handed out: nothing may pass until a progress event covers it. */
export function open(now: Settlement): Settlement {
  return now.uncovered ? now : { ...now, uncovered: true }
}

/** A progress event of `position` covers everything so far. */
export function cover(now: Settlement, position: bigint): Settlement {
  return { ...now, uncovered: false, handedOut: position > now.handedOut ? position : now.handedOut }
}

/** A keep-alive, taken in its order in the stream, says that everything before `end` was sent. */
export function keepAlive(now: Settlement, end: bigint): Settlement {
  if (now.uncovered || end <= now.settled) return now
  return applyKeepAlive({ ...now, keepAliveEnd: end, keepAliveAfter: now.handedOut })
}

/** The pipeline made everything up to `position` durable. A position that was never handed out settles nothing. */
export function settle(now: Settlement, position: bigint): Settlement {
  if (position <= now.settled || position > now.handedOut) return now
  return applyKeepAlive({ ...now, settled: position })
}

function applyKeepAlive(now: Settlement): Settlement {
  if (now.keepAliveEnd <= now.settled || now.settled < now.keepAliveAfter) return now
  return { ...now, settled: now.keepAliveEnd }
}

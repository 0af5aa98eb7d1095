import type { Outcome } from '../connectors/destination.ts'

/** What the engine does with a record after its destination has answered. */
export type Next =
  /** It took effect: write the ledger, finish. */
  | 'settle'
  /** The destination is ahead of the ledger: mark the key uncertain, finish. */
  | 'overtaken'
  /** Ask the gate again, then send the full patch, without a tag. */
  | 'again-full'
  /** Ask the gate again later; nothing was changed. */
  | 'again-later'
  /** It may have taken effect: ask the gate again later, with the key uncertain, so that the patch is full. */
  | 'again-uncertain'
  /** Give the record up to the dead-letter topic, finish. */
  | 'dead-letter'

/**
 * What counts against the record.
 * - `nothing`: it only takes time
 * - `attempt`: it failed by itself; it waits alone, longer each time, and is given up after the declared attempts
 * - `when-others-pass`: an attempt when the destination has answered others since it failed last, else the destination's own trouble
 * - `when-free`: an attempt when what it waits for is neither behind nor dead, else it takes time
 */
export type Counts = 'nothing' | 'attempt' | 'when-others-pass' | 'when-free'

/** What the answer says of the destination: it works, it does not, or it wants to be left alone for a time. */
export type Health = 'works' | 'fails' | 'wants-rest'

export interface Consequence {
  readonly next: Next
  readonly counts: Counts
  readonly health: Health
}

/** What follows each outcome. Total: a new outcome does not compile until it has a row. Nothing else decides it. */
export const CONSEQUENCES: Readonly<Record<Outcome['kind'], Consequence>> = {
  applied: { next: 'settle', counts: 'nothing', health: 'works' },
  unchanged: { next: 'settle', counts: 'nothing', health: 'works' },
  newer: { next: 'overtaken', counts: 'nothing', health: 'works' },
  absent: { next: 'again-full', counts: 'attempt', health: 'works' },
  conflict: { next: 'again-full', counts: 'attempt', health: 'works' },
  blocked: { next: 'again-later', counts: 'when-free', health: 'works' },
  throttled: { next: 'again-later', counts: 'nothing', health: 'wants-rest' },
  unavailable: { next: 'again-later', counts: 'when-others-pass', health: 'fails' },
  unknown: { next: 'again-uncertain', counts: 'when-others-pass', health: 'fails' },
  rejected: { next: 'dead-letter', counts: 'nothing', health: 'works' },
}

/** Absent and conflict are the usual way of things at first: the world need not change before the full patch. */
const PROMPT_ROUNDS_MAX = 3

/** What is known of a record and its destination when it has failed. */
export interface Circumstances {
  /** Rounds without success before this one. */
  readonly rounds: number
  readonly attempts: number
  /** The destination has answered others since the record failed last, or in the same request. */
  readonly othersPass: boolean
  /** What it waits for is behind, or has dead letters. */
  readonly parentIsBehind: boolean
}

/** Whether a failure is the record's own. */
export function isAttempt(kind: Outcome['kind'], { rounds, othersPass, parentIsBehind }: Circumstances): boolean {
  const { next, counts } = CONSEQUENCES[kind]
  switch (counts) {
    case 'nothing':
      return false
    case 'attempt':
      return next !== 'again-full' || rounds >= PROMPT_ROUNDS_MAX
    case 'when-others-pass':
      return othersPass
    case 'when-free':
      return !parentIsBehind
  }
}

/** How long records wait that fail alone: 1, 2, 4, 8, 16 s by default. */
export interface RetryPolicy {
  /** Failures of its own after which a record is given up to the dead-letter topic, where it is tried on for a time. */
  readonly attemptsMax: number
  readonly firstMs: number
  /** How long after its first failure it is tried on from there. */
  readonly deadAfterMs: number
}

export const RETRY: RetryPolicy = { attemptsMax: 5, firstMs: 1_000, deadAfterMs: 3_600_000 }

const TROUBLE_MS_MIN = 100
export const TROUBLE_MS_MAX = 10_000
const BLOCKED_MS_MAX = 5_000
const OWN_FAILURE_MS_MAX = 600_000

/**
 * How long a record waits before it is tried again, in ms.
 * @param jitter from 0 to 1
 */
export function waitMs(
  kind: Outcome['kind'],
  circumstances: Circumstances,
  policy: RetryPolicy,
  jitter: number,
): number {
  const { rounds, attempts } = circumstances
  const spread = 0.5 + jitter / 2
  if (isAttempt(kind, circumstances)) return Math.min(policy.firstMs * 2 ** attempts, OWN_FAILURE_MS_MAX) * spread
  const { next, health } = CONSEQUENCES[kind]
  if (next === 'again-full') return 0
  // The breaker, or the rest that was asked for, holds all of them; by itself the record need not wait on top of it.
  if (health === 'wants-rest') return 0
  const most = kind === 'blocked' ? BLOCKED_MS_MAX : TROUBLE_MS_MAX
  return Math.min(TROUBLE_MS_MIN * 2 ** Math.min(rounds, 10), most) * spread
}

/** When a dead letter that is tried on comes next: each time twice as late, from one minute. */
const RETRYING_MS_MIN = 60_000
const RETRYING_MS_MAX = 900_000

/**
 * What becomes of a record that is given up.
 * @returns when it is tried again, ms since 1970; null when it is dead until someone replays it
 */
export function nextTryAt(
  firstFailedAtMs: number,
  attempts: number,
  policy: RetryPolicy,
  now: number,
  jitter: number,
): number | null {
  if (now - firstFailedAtMs >= policy.deadAfterMs) return null
  const beyond = Math.max(0, attempts - policy.attemptsMax - 1)
  const wait = Math.min(RETRYING_MS_MIN * 2 ** Math.min(beyond, 10), RETRYING_MS_MAX, policy.deadAfterMs)
  return Math.round(now + wait * (0.5 + jitter / 2))
}

import type { Outcome } from '../connectors/destination.ts'

/** What the engine does with a record after its destination has answered. */
export type Next =
  /** It took effect: write the ledger, finish. */
  | 'settle'
  /** The destination is ahead of the ledger: mark the key uncertain, finish. */
  | 'overtaken'
  /** Ask the gate again, then send the full patch. */
  | 'again-full'
  /** Ask the gate again after a pause; nothing was changed. */
  | 'again-later'
  /** It may have taken effect: ask the gate again after a pause, with the key uncertain, so that the patch is full. */
  | 'again-uncertain'
  /** Give the record up to the dead-letter topic, finish. */
  | 'dead-letter'

/**
 * What follows each outcome. Total: a new outcome does not compile until it has a row.
 *
 * No outcome counts as an attempt yet and none ages: a record that keeps failing holds its place, and offsets with it.
 */
export const NEXT: Record<Outcome['kind'], Next> = {
  applied: 'settle',
  unchanged: 'settle',
  newer: 'overtaken',
  absent: 'again-full',
  conflict: 'again-later',
  blocked: 'again-later',
  throttled: 'again-later',
  unavailable: 'again-later',
  unknown: 'again-uncertain',
  rejected: 'dead-letter',
}

/** What may be tried again at once: the world need not change first. */
const PROMPT: Partial<Record<Next, true>> = { 'again-full': true, settle: true }
/** After so many rounds even those wait, so that a destination that contradicts itself is not hammered. */
const PROMPT_ROUNDS_MAX = 3
export const PAUSE_MS_MIN = 100
export const PAUSE_MS_MAX = 10_000
/** A destination that asks for more is asked again after this; a timer cannot wait for more than 24 days. */
export const THROTTLE_MS_MAX = 3_600_000

/**
 * How long to wait before a record is tried again.
 * @param round how many times its batch has been tried, from 1
 * @param jitter from 0 to 1
 */
export function pauseMs(outcomes: readonly Outcome[], round: number, jitter: number): number {
  const backoff = Math.min(PAUSE_MS_MIN * 2 ** Math.min(round - 1, 10), PAUSE_MS_MAX) * (0.5 + jitter / 2)
  let pause = 0
  for (const outcome of outcomes) {
    // At least the backoff, so that a destination that says «after 0 ms» is not hammered.
    if (outcome.kind === 'throttled') pause = Math.max(pause, backoff, Math.min(outcome.afterMs, THROTTLE_MS_MAX))
    else if (PROMPT[NEXT[outcome.kind]] === undefined || round > PROMPT_ROUNDS_MAX) pause = Math.max(pause, backoff)
  }
  return pause
}

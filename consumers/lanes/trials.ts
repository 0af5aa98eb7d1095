/** What a key's next round has to know of those before it; kept with its waiting record until one succeeds. */
export interface Trials {
  /** The next patch carries every field, because the destination lacks the object or changed it meanwhile. */
  readonly mustBeFull: boolean
  /** A request ended unknown, so the ledger may be wrong about the key. */
  readonly uncertain: boolean
  /** Rounds in a row without success. */
  readonly rounds: number
  /** Failures that were the record's own; see consumers/outcomes.ts. */
  readonly attempts: number
  /** When the first of them was, ms since 1970; 0 for never. */
  readonly firstFailedAtMs: number
  /** With how many others it may share a request, itself included: halved with each failure, so that a culprit comes to stand alone. */
  readonly together: number
  /** How often the destination had answered others when this record failed last; -1 when it has not failed. */
  readonly answeredThen: number
}

export const NO_TRIALS: Trials = {
  mustBeFull: false,
  uncertain: false,
  rounds: 0,
  attempts: 0,
  firstFailedAtMs: 0,
  together: Number.POSITIVE_INFINITY,
  answeredThen: -1,
}

/** Of two records of a key that become one. */
export function mergeTrials(one: Trials, other: Trials): Trials {
  if (other === NO_TRIALS) return one
  if (one === NO_TRIALS) return other
  const failedFirst = [one.firstFailedAtMs, other.firstFailedAtMs].filter((at) => at > 0)
  return {
    mustBeFull: one.mustBeFull || other.mustBeFull,
    uncertain: one.uncertain || other.uncertain,
    rounds: Math.max(one.rounds, other.rounds),
    attempts: Math.max(one.attempts, other.attempts),
    firstFailedAtMs: failedFirst.length === 0 ? 0 : Math.min(...failedFirst),
    together: Math.min(one.together, other.together),
    answeredThen: Math.max(one.answeredThen, other.answeredThen),
  }
}

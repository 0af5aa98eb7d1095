export const GUARANTEES = ['G1', 'G2', 'G3', 'G4', 'G5', 'G6', 'G7', 'G8', 'G9', 'G10', 'G11', 'G12'] as const
export type Guarantee = (typeof GUARANTEES)[number]

export interface Violation {
  /** `recording`: the histories themselves are not whole, so that nothing else can be believed. */
  readonly guarantee: Guarantee | 'recording'
  /** '' where no single object is concerned. */
  readonly entity: string
  readonly key: string
  /** What is wrong, in a sentence. */
  readonly what: string
  /** The key's whole history over source, topic and destinations in time order, a line each. */
  readonly story: readonly string[]
}

export interface Verdict {
  readonly guarantee: Guarantee | 'recording'
  /** How many facts were compared. A guarantee of which nothing was compared is neither held nor violated: it was not looked at. */
  readonly compared: number
  readonly violations: readonly Violation[]
}

/**
 * Why a run does not pass: every violation, and every wanted guarantee of which nothing was compared, for silence proves nothing.
 * @param wanted the guarantees that this run set out to try
 */
export function failures(verdicts: readonly Verdict[], wanted: readonly Guarantee[]): Violation[] {
  const found = verdicts.flatMap(({ violations }) => violations)
  for (const guarantee of wanted)
    if (!verdicts.some((verdict) => verdict.guarantee === guarantee && verdict.compared > 0))
      found.push({
        guarantee,
        entity: '',
        key: '',
        what: 'nothing was recorded from which it could be decided',
        story: [],
      })
  return found
}

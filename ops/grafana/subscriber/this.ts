import { rate, sum } from '../build/query.ts'
import { groupMatcher } from '../figures.ts'

/** The subscriber that is chosen. */
export const THIS = 'subscriber="$subscriber"'
export const THIS_GROUP = groupMatcher('$subscriber')

/** What a record or the subscriber is at fault for; the same as in the alerts. */
const FAULTS = 'outcome=~"rejected|unavailable|unknown|conflict"'

/** Share of refusals and failures in all answers; 0 where all was applied. */
export function errorRatio(by: readonly string[]): string {
  const applied = rate('tributary_patches_total', THIS)
  const faults = sum(by, `${rate('tributary_answers_total', THIS, FAULTS)} or 0 * ${applied}`)
  return `${faults} / ${sum(by, `${rate('tributary_answers_total', THIS)} or ${applied}`)}`
}

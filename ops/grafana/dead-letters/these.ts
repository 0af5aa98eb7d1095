import { max, series } from '../build/query.ts'

/** The subscribers that are chosen. */
export const THESE = 'subscriber=~"$subscriber"'
export const DEAD = 'state="dead"'
export const RETRYING = 'state="retrying"'

/** Time since the oldest open dead letter failed first, in seconds. */
export function oldest(by: readonly string[], ...matchers: readonly string[]): string {
  return max(by, series('tributary_dead_letters_oldest_seconds', THESE, ...matchers))
}

import { max, series, sum } from '../build/query.ts'

/** The source that is chosen. */
export const THIS = 'source="$source"'

/** Rows that could not be encoded, each counted once, also while a second process captures as a standby. */
export function notEncoded(by: readonly string[]): string {
  return sum(by, max(['source', 'entity'], series('tributary_capture_dead_letters_open', THIS)))
}

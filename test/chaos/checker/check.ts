import type { RunHistory } from '../histories/history.ts'
import type { Verdict } from './verdict.ts'

/**
 * Decides the guarantees from what was recorded, per key. Pure: the same histories give the same verdicts, with or without servers.
 * Whether a run passes is for {@link failures} to say, as what was never recorded is no pass.
 */
export function check(_run: RunHistory): readonly Verdict[] {
  return []
}

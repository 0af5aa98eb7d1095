import type { RunHistory } from '../histories/history.ts'
import type { ObjectHistory } from './objects.ts'
import type { Verdict } from './verdict.ts'

/** Faults after which the ledger does not know, or knows wrongly, what destinations hold. */
export const LEDGER_FAULTS = new Set([
  ...['flush-ledger', 'set-back-ledger', 'kill-ledger', 'freeze-ledger', 'cut-ledger', 'fill-ledger'],
])

/**
 * G11: losing the ledger costs repeats, never skips. In a run in which that happened, everything that G2 and G4 find is a skip.
 * @param others the verdicts of G2 and G4
 */
export function checkG11(
  { faults }: RunHistory,
  objects: readonly ObjectHistory[],
  others: readonly Verdict[],
): Verdict {
  const lost = faults.filter(({ kind }) => LEDGER_FAULTS.has(kind))
  if (lost.length === 0) return { guarantee: 'G11', compared: 0, violations: [] }
  const since = Math.min(...lost.map(({ fromMs }) => fromMs))
  const changed = objects.filter(({ source }) => source.some(({ atMs }) => atMs >= since)).length
  const violations = others.flatMap((verdict) =>
    verdict.violations.map((one) => ({
      ...one,
      guarantee: 'G11' as const,
      what: `after the ledger was lost: ${one.what}`,
    })),
  )
  return { guarantee: 'G11', compared: changed, violations }
}

import type { EffectEntry, RunHistory, SourceEntry } from '../histories/history.ts'
import { type ObjectHistory, project, same, violation } from './objects.ts'
import type { Verdict, Violation } from './verdict.ts'

/**
 * G8: after the last fault is healed everything catches up by itself, and what is committed from then on takes effect soon: within the
 * time that the run gives it, which is many times what is usual, so that only what is stuck fails.
 */
export function checkG8({ about }: RunHistory, objects: readonly ObjectHistory[]): Verdict {
  const violations: Violation[] = []
  const stuck = (what: string) => violations.push({ guarantee: 'G8', entity: '', key: '', what, story: [] })
  if (about.healedMs === null) return { guarantee: 'G8', compared: 0, violations }
  if (about.recoveredMs === null) stuck('what was committed before the last fault was healed never arrived everywhere')
  if (about.quietMs === null) stuck(`it was not quiet ${about.quietWithinMs} ms after the workload had ended`)
  let compared = 2
  const { recoveredMs } = about
  if (recoveredMs === null) return { guarantee: 'G8', compared, violations }
  for (const object of objects)
    for (const { name, fields } of about.destinations) {
      const names = fields[object.entity]
      const change = object.source.findLast(({ atMs }) => atMs > recoveredMs)
      if (names === undefined || change === undefined) continue
      const effects = object.effects.get(name) ?? []
      compared++
      const lateMs = latenessOf(change, effects, names)
      if (lateMs === null || lateMs <= about.latencyMsMax) continue
      violations.push(
        violation(
          'G8',
          object,
          `${name}: change ${change.number}, long after all faults, took ${lateMs} ms to take effect`,
        ),
      )
    }
  return { guarantee: 'G8', compared, violations }
}

/** null where it changed nothing there, or where it never arrived: that is for others to judge. */
function latenessOf(change: SourceEntry, effects: readonly EffectEntry[], names: readonly string[]): number | null {
  const after = project(change.fields, names)
  const applied = effects.filter(({ result }) => result === 'applied')
  if (same(applied.findLast(({ atMs }) => atMs < change.atMs)?.after ?? null, after)) return null
  const effect = applied.find((one) => one.atMs >= change.atMs && same(one.after, after))
  return effect === undefined ? null : effect.atMs - change.atMs
}

import type { EffectEntry, RunHistory } from '../histories/history.ts'
import { compare, type ObjectHistory, same, violation } from './objects.ts'
import type { Verdict, Violation } from './verdict.ts'

/** G3: no older value over a newer one where the destination compares versions; elsewhere one that was put right afterwards. */
export function checkG3({ about }: RunHistory, objects: readonly ObjectHistory[]): Verdict {
  const violations: Violation[] = []
  let compared = 0
  for (const object of objects)
    for (const { name, comparesVersions } of about.destinations) {
      const effects = (object.effects.get(name) ?? []).filter(
        ({ result, version }) => result === 'applied' && version !== null,
      )
      let best = effects[0]
      for (const [at, effect] of effects.entries()) {
        if (best === undefined || compare(effect, best) >= 0) {
          best = effect
          continue
        }
        compared++
        if (comparesVersions || !isPutRight(effects.slice(at), best))
          violations.push(
            violation(
              'G3',
              object,
              `${name}: effect ${effect.number} put ${effect.version} over ${best.version}${comparesVersions ? '' : ', and nothing put it right'}`,
            ),
          )
      }
      compared += Math.max(0, effects.length - 1)
    }
  return { guarantee: 'G3', compared, violations }
}

/** @param later from the older value on */
function isPutRight(later: readonly EffectEntry[], overtaken: EffectEntry): boolean {
  return later.some((effect) => compare(effect, overtaken) >= 0 || same(effect.after, overtaken.after))
}

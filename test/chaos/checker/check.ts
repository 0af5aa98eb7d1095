import type { RunHistory } from '../histories/history.ts'
import { checkG1 } from './g1-topic.ts'
import { checkG2 } from './g2-effects.ts'
import { checkG3 } from './g3-order.ts'
import { checkG4 } from './g4-equality.ts'
import { checkG5 } from './g5-letters.ts'
import { checkG6 } from './g6-offsets.ts'
import { checkG7 } from './g7-acknowledged.ts'
import { checkG8 } from './g8-recovery.ts'
import { checkG9 } from './g9-isolation.ts'
import { checkG10 } from './g10-secrets.ts'
import { checkG11 } from './g11-ledger.ts'
import { checkG12 } from './g12-memory.ts'
import { objectsOf } from './objects.ts'
import { checkRecording } from './recording.ts'
import { storyOf } from './story.ts'
import type { Verdict } from './verdict.ts'

/** Of so many violations of one guarantee the whole story is told. */
const STORIES_MAX = 5

/**
 * Decides the guarantees from what was recorded, per key. Pure: the same histories give the same verdicts, with or without servers.
 * Whether a run passes is for `failures` (verdict.ts) to say, as what was never recorded is no pass.
 */
export function check(run: RunHistory): readonly Verdict[] {
  const objects = objectsOf(run)
  const byName = new Map(objects.map((object) => [JSON.stringify([object.entity, object.key]), object]))
  const g2 = checkG2(run, objects)
  const g4 = checkG4(run, objects)
  const verdicts = [
    checkRecording(run, objects),
    checkG1(run, objects),
    g2,
    checkG3(run, objects),
    g4,
    checkG5(run, objects),
    checkG6(run, objects),
    checkG7(run, objects),
    checkG8(run, objects),
    checkG9(run, objects),
    checkG10(run),
    checkG11(run, objects, [g2, g4]),
    checkG12(run),
  ]
  return verdicts.map(({ violations, ...verdict }) => ({
    ...verdict,
    violations: violations.map((one, at) => {
      const object = byName.get(JSON.stringify([one.entity, one.key]))
      return object === undefined || at >= STORIES_MAX ? one : { ...one, story: storyOf(run, object) }
    }),
  }))
}

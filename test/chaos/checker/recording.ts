import type { RunHistory } from '../histories/history.ts'
import { type ObjectHistory, same, told, violation } from './objects.ts'
import type { Verdict, Violation } from './verdict.ts'

/**
 * Whether the histories are whole, without which no other verdict counts: what source and destinations held in the end is what their
 * histories end with, and the topic was read without a hole and to its end.
 */
export function checkRecording(run: RunHistory, objects: readonly ObjectHistory[]): Verdict {
  const violations: Violation[] = []
  let compared = 0
  const wrong = (what: string) => violations.push({ guarantee: 'recording', entity: '', key: '', what, story: [] })
  if (run.about.quietMs !== null)
    for (const object of objects) {
      compared++
      const final = object.source.at(-1)?.fields ?? null
      const held = object.states.get('source')?.fields ?? null
      if (!same(final, held))
        violations.push(
          violation('recording', object, `the source's history ends with ${told(final)}, and it holds ${told(held)}`),
        )
      for (const { name, fields } of run.about.destinations) {
        if (fields[object.entity] === undefined) continue
        const after =
          (object.effects.get(name) ?? []).filter(({ result }) => result === 'applied').at(-1)?.after ?? null
        const state = object.states.get(name)?.fields ?? null
        if (!same(after, state))
          violations.push(
            violation('recording', object, `${name}'s history ends with ${told(after)}, and it holds ${told(state)}`),
          )
      }
    }
  const ends = run.progress.at(-1)?.ends ?? {}
  for (const [place, end] of Object.entries(ends)) {
    const last = lastOffset(run, place)
    // Fences, which are no history, may come behind it; a place where nothing was read at all was not followed.
    if (end > 0 && last === null) wrong(`nothing of ${place} was recorded, which ends at ${end}`)
    compared++
  }
  return { guarantee: 'recording', compared, violations }
}

function lastOffset({ topic }: RunHistory, place: string): number | null {
  return topic.reduce<number | null>(
    (last, { entity, partition, offset }) => (`${entity}/${partition}` === place ? Math.max(last ?? 0, offset) : last),
    null,
  )
}

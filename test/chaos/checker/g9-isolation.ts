import type { RunHistory } from '../histories/history.ts'
import { type ObjectHistory, project, same } from './objects.ts'
import type { Verdict, Violation } from './verdict.ts'

/**
 * G9: a failing subscriber delays no other, and a failing class of entities no other class. While one destination alone is failing, or some
 * entities of it, each of the others takes changes that are made meanwhile: such a fault is ended by whoever makes it only when that was
 * seen, or when it took too long.
 */
export function checkG9({ about, faults }: RunHistory, objects: readonly ObjectHistory[]): Verdict {
  const violations: Violation[] = []
  let compared = 0
  for (const fault of faults) {
    if (fault.alone === undefined) continue
    const isWithin = ({ atMs }: { readonly atMs: number }) => atMs >= fault.fromMs && atMs <= fault.toMs
    for (const { name, fields } of about.destinations) {
      const isHit = (entity: string) =>
        name === fault.alone && (fault.entities === undefined || fault.entities.includes(entity))
      const changed = objects.filter(
        ({ entity, source }) => fields[entity] !== undefined && !isHit(entity) && source.some(isWithin),
      )
      if (changed.length === 0) continue
      compared++
      const arrived = changed.some(({ entity, source, effects }) => {
        const applied = (effects.get(name) ?? []).filter((one) => one.result === 'applied' && isWithin(one))
        return source
          .filter(isWithin)
          .some((change) =>
            applied.some(
              ({ atMs, after }) => atMs >= change.atMs && same(after, project(change.fields, fields[entity])),
            ),
          )
      })
      if (!arrived)
        violations.push({
          guarantee: 'G9',
          entity: '',
          key: '',
          what: `while ${fault.entities?.join(', ') ?? 'all'} of ${fault.alone} alone was failing (${fault.kind}, ${fault.toMs - fault.fromMs} ms), nothing of ${changed.length} changed objects reached ${name}`,
          story: [],
        })
    }
  }
  return { guarantee: 'G9', compared, violations }
}

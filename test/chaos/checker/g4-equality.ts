import type { RunHistory } from '../histories/history.ts'
import { type ObjectHistory, project, same, told, violation } from './objects.ts'
import type { Verdict, Violation } from './verdict.ts'

/** G4: after quiet, what every subscriber holds is what the source holds, deletes included; keys with a dead letter aside. */
export function checkG4({ about }: RunHistory, objects: readonly ObjectHistory[]): Verdict {
  const violations: Violation[] = []
  let compared = 0
  if (about.quietMs === null) return { guarantee: 'G4', compared, violations }
  for (const object of objects)
    for (const { name, fields } of about.destinations) {
      const names = fields[object.entity]
      if (names === undefined || object.letters.get(name)?.at(-1)?.letter) continue
      const source = project(object.states.get('source')?.fields ?? null, names)
      const held = object.states.get(name)?.fields ?? null
      // Of what never was anywhere nothing can be compared.
      if (source === null && held === null && object.source.length === 0) continue
      compared++
      if (!same(source, held))
        violations.push(violation('G4', object, `the source holds ${told(source)}, and ${name} ${told(held)}`))
    }
  return { guarantee: 'G4', compared, violations }
}

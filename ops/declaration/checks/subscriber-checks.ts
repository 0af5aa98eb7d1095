import { didYouMean, shownName } from '../problem.ts'
import { checkConnection } from './connection-checks.ts'
import { checkDeletion } from './deletion-checks.ts'
import { checkMapping, checkReferences, type KnownEntity } from './mapping-checks.ts'
import { checkSchema, checkTarget, sourceTables, type Taken } from './target-checks.ts'
import { isMapping, type Mapping, mappingOf, type Report, type Shown } from './unchecked-values.ts'

/** Checks what subscribers take against the entities, and that no two entities meet in one place. */
export function checkSubscribers(
  root: Mapping,
  known: ReadonlyMap<string, KnownEntity>,
  report: Report,
  shown: Shown,
): void {
  const places = sourceTables(root)
  const names = Object.keys(mappingOf(root.entities))
  for (const [name, value] of Object.entries(mappingOf(root.subscribers))) {
    const subscriber = mappingOf(value)
    const path = ['subscribers', name]
    const entries = Object.entries(mappingOf(subscriber.entities))
    if (entries.length === 0 && isMapping(subscriber.entities))
      report([...path, 'entities'], 'takes no entity', 'name one, such as `customer:`')
    checkSchema([...path, 'schema'], subscriber.schema, report)
    checkConnection(path, subscriber, report)
    for (const [entity, subscription] of entries) {
      const at = [...path, 'entities', entity]
      const taken: Taken = { path: at, name, subscriber, entity, subscription: mappingOf(subscription) }
      const declared = known.get(entity)
      if (names.length > 0 && !names.includes(entity))
        report(at, `entity ${shownName(entity)} is not declared`, didYouMean(entity, names), 'key')
      else if (declared !== undefined) checkMapping(taken, declared, report, shown)
      checkTarget(taken, places, report, shown)
      checkDeletion(taken, known, report, shown)
    }
    checkReferences(path, subscriber, known, report)
    checkTransformsFile(path, subscriber, root, report)
  }
}

/** Custom transforms need a file that has them. */
function checkTransformsFile(path: readonly string[], subscriber: Mapping, root: Mapping, report: Report): void {
  if (root.transforms !== undefined) return
  for (const [entity, subscription] of Object.entries(mappingOf(subscriber.entities)))
    for (const [to, written] of Object.entries(mappingOf(mappingOf(subscription).fields)))
      if (mappingOf(written).custom !== undefined)
        report(
          [...path, 'entities', entity, 'fields', to, 'custom'],
          'there is no file of custom transforms',
          'name it at the top of the declaration, such as `transforms: ./transforms.ts`',
          'key',
        )
}

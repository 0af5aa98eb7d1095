import { FIELDS_MAX } from '../definition.ts'
import { IDENTIFIER_BYTES_MAX } from '../notation.ts'
import { didYouMean, type Path, shownName } from '../problem.ts'
import { checkSchema, checkTarget, RESERVED_PREFIX, sourceTables } from './target-checks.ts'
import { isMapping, type Mapping, mappingOf, type Report, type Shown, suggestName, textOf } from './unchecked-values.ts'

/** Checks what subscribers take against the entities, and that no two entities meet in one table. */
export function checkSubscribers(root: Mapping, report: Report, shown: Shown): void {
  const places = sourceTables(root)
  const entities = mappingOf(root.entities)
  for (const [name, value] of Object.entries(mappingOf(root.subscribers))) {
    const subscriber = mappingOf(value)
    const path = ['subscribers', name]
    const taken = Object.entries(mappingOf(subscriber.entities))
    if (taken.length === 0 && isMapping(subscriber.entities))
      report([...path, 'entities'], 'takes no entity', 'name one, such as `customer:`')
    checkSchema([...path, 'schema'], subscriber.schema, report)
    for (const [entity, subscription] of taken) {
      const at = [...path, 'entities', entity]
      checkTaken(at, entity, mappingOf(subscription), entities, report, shown)
      checkTarget({ path: at, name, subscriber, entity, subscription: mappingOf(subscription) }, places, report, shown)
    }
  }
}

function checkTaken(
  path: Path,
  name: string,
  subscription: Mapping,
  entities: Mapping,
  report: Report,
  shown: Shown,
): void {
  const names = Object.keys(entities)
  if (names.length === 0) return
  if (!Object.hasOwn(entities, name)) {
    report(path, `entity ${shownName(name)} is not declared`, didYouMean(name, names), 'key')
    return
  }
  const { fields } = mappingOf(entities[name])
  if (isMapping(fields)) checkFields(path, subscription, Object.keys(fields), report, shown)
}

function checkFields(path: Path, subscription: Mapping, known: readonly string[], report: Report, shown: Shown): void {
  const mapped = subscription.fields === undefined ? undefined : mappingOf(subscription.fields)
  const destinations = mapped ? Object.keys(mapped) : known
  const at = (to: string) => (mapped ? [...path, 'fields', to] : path)
  if (mapped && destinations.length === 0 && isMapping(subscription.fields))
    report([...path, 'fields'], 'maps no field', 'leave `fields` out to take every field')
  if (destinations.length > FIELDS_MAX) {
    // Without a mapping of its own the entity was reported.
    if (mapped)
      report([...path, 'fields'], `has ${destinations.length} fields; ${FIELDS_MAX} is the limit`, undefined, 'key')
    return
  }
  const seen = new Map<string, string>()
  for (const to of destinations) {
    const fault = columnFault(to)
    if (fault)
      report(
        at(to),
        `destination field ${shownName(to)} ${fault}`,
        mapped ? 'choose another name' : 'map it under another name in `fields`',
        'key',
      )
    const other = seen.get(to.toLowerCase())
    if (other === undefined) seen.set(to.toLowerCase(), to)
    else
      report(
        at(to),
        `destination fields ${shownName(other)} and ${shownName(to)} differ in case only`,
        'rename one',
        'key',
      )
    const from = mapped && textOf(mapped[to])
    if (!from || known.includes(from)) continue
    const display = shown(at(to), from)
    report(at(to), `the entity has no field ${display}`, suggestName(from, known, display))
  }
}

function columnFault(name: string): string | undefined {
  if (name.toLowerCase().startsWith(RESERVED_PREFIX)) return `begins with \`${RESERVED_PREFIX}\`, which is reserved`
  if (Buffer.byteLength(name) > IDENTIFIER_BYTES_MAX) return `is longer than ${IDENTIFIER_BYTES_MAX} bytes`
  if (name === '' || /\p{C}/u.test(name)) return 'is empty or has invisible characters'
  return undefined
}

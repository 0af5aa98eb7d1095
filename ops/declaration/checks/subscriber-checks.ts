import { FIELDS_MAX } from '../definition.ts'
import { IDENTIFIER_BYTES_MAX, parsePostgresPlace, parseTable, parseTarget } from '../notation.ts'
import { didYouMean, type Path, shownName } from '../problem.ts'
import { defaultTarget } from '../resolve.ts'
import { isMapping, type Mapping, mappingOf, type Report, type Shown, suggestName, textOf } from './unchecked-values.ts'

/** Tables and columns with this prefix hold what tributary itself needs to know at a destination. */
const RESERVED_PREFIX = 'tributary_'

/** Where each table is, and what has it: case-insensitively, as some warehouses see names. */
type Tables = Map<string, string>

/** Checks what subscribers take against the entities, and that no two entities meet in one table. */
export function checkSubscribers(root: Mapping, report: Report, shown: Shown): void {
  const tables = sourceTables(root)
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
      checkTarget(at, name, entity, mappingOf(subscription), subscriber, tables, report, shown)
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

function sourceTables(root: Mapping): Tables {
  const tables: Tables = new Map()
  const sources = mappingOf(root.sources)
  for (const [name, value] of Object.entries(mappingOf(root.entities))) {
    const entity = mappingOf(value)
    const table = parseTable(textOf(entity.table) ?? '')
    const url = textOf(mappingOf(sources[textOf(entity.source) ?? '']).url)
    if ('fault' in table || url === undefined) continue
    const key = tableKey(url, table.schema, table.name)
    if (key !== undefined) tables.set(key, `entity ${shownName(name)} is captured from`)
  }
  return tables
}

function tableKey(url: string, schema: string, table: string): string | undefined {
  const place = parsePostgresPlace(url)
  return place && JSON.stringify([place.server, place.database, schema, table]).toLowerCase()
}

function checkSchema(path: Path, schema: unknown, report: Report): void {
  if (Buffer.byteLength(textOf(schema) ?? '') > IDENTIFIER_BYTES_MAX)
    report(path, `is longer than ${IDENTIFIER_BYTES_MAX} bytes, which PostgreSQL would cut off`)
}

function checkTarget(
  path: Path,
  name: string,
  entity: string,
  subscription: Mapping,
  subscriber: Mapping,
  tables: Tables,
  report: Report,
  shown: Shown,
): void {
  const written = textOf(subscription.table)
  const at = written === undefined ? path : [...path, 'table']
  const where = written === undefined ? 'key' : 'value'
  const target = written === undefined ? { name: defaultTarget(entity) } : parseTarget(written)
  if ('fault' in target) return
  const display = written === undefined ? `\`${target.name}\`` : shown(at, target.name)
  if (target.name.toLowerCase().startsWith(RESERVED_PREFIX)) {
    report(at, `table ${display} begins with \`${RESERVED_PREFIX}\`, which is reserved`, 'choose another name', where)
    return
  }
  // A URL that is missing or cannot be read still tells the tables of one subscriber apart.
  const key =
    tableKey(textOf(subscriber.url) ?? '', textOf(subscriber.schema) ?? 'public', target.name) ??
    `${name} ${target.name.toLowerCase()}`
  const other = tables.get(key)
  if (other === undefined) tables.set(key, `entity ${shownName(entity)} of subscriber ${shownName(name)} goes to`)
  else report(at, `table ${display} is the one that ${other}`, 'choose another `table`', where)
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

import { IDENTIFIER_BYTES_MAX, parsePostgresPlace, parseTable, parseTarget } from '../notation.ts'
import { type Path, shownName } from '../problem.ts'
import { isSubscriberType, KINDS } from '../subscribers/kinds.ts'
import { defaultTarget } from '../subscribers/resolve.ts'
import { type Mapping, mappingOf, type Report, type Shown, textOf } from './unchecked-values.ts'

/** Tables and columns with this prefix hold what tributary itself needs to know at a destination. */
export const RESERVED_PREFIX = 'tributary_'

/** Where each table or collection is, and what has it: case-insensitively, as some systems see names. */
export type Places = Map<string, string>

/** The tables that entities are captured from: nothing is delivered into them. */
export function sourceTables(root: Mapping): Places {
  const places: Places = new Map()
  const sources = mappingOf(root.sources)
  for (const [name, value] of Object.entries(mappingOf(root.entities))) {
    const entity = mappingOf(value)
    const table = parseTable(textOf(entity.table) ?? '')
    const url = textOf(mappingOf(sources[textOf(entity.source) ?? '']).url)
    if ('fault' in table || url === undefined) continue
    const key = tableKey(url, table.schema, table.name)
    if (key !== undefined) places.set(key, `entity ${shownName(name)} is captured from`)
  }
  return places
}

function tableKey(url: string, schema: string, table: string): string | undefined {
  const place = parsePostgresPlace(url)
  return place && JSON.stringify([place.server, place.database, schema, table]).toLowerCase()
}

export function checkSchema(path: Path, schema: unknown, report: Report): void {
  if (Buffer.byteLength(textOf(schema) ?? '') > IDENTIFIER_BYTES_MAX)
    report(path, `is longer than ${IDENTIFIER_BYTES_MAX} bytes, which PostgreSQL would cut off`)
}

/** One entity of a subscriber, as it stands in the file. */
export interface Taken {
  /** Of what stands at the entity's name. */
  readonly path: Path
  /** The subscriber's name. */
  readonly name: string
  readonly subscriber: Mapping
  readonly entity: string
  readonly subscription: Mapping
}

/** Checks that no two entities meet in one table or collection, and that nothing goes where something is captured from. */
export function checkTarget(taken: Taken, places: Places, report: Report, shown: Shown): void {
  const type = textOf(taken.subscriber.type)
  if (type === 'warehouse' || !isSubscriberType(type)) checkTable(taken, places, report, shown)
  else checkCollection(taken, KINDS[type].foldsCase, places, report, shown)
}

function checkTable(
  { path, name, subscriber, entity, subscription }: Taken,
  places: Places,
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
  const other = places.get(key)
  if (other === undefined) places.set(key, `entity ${shownName(entity)} of subscriber ${shownName(name)} goes to`)
  else report(at, `table ${display} is the one that ${other}`, 'choose another `table`', where)
}

function checkCollection(
  { path, name, subscriber, entity, subscription }: Taken,
  foldsCase: boolean,
  places: Places,
  report: Report,
  shown: Shown,
): void {
  const target = textOf(subscription.target)
  if (target === undefined) return
  const at = [...path, 'target']
  const url = textOf(subscriber.url)?.replace(/\/+$/, '').toLowerCase() ?? name
  const company = textOf(subscriber.company)?.toLowerCase() ?? ''
  const key = JSON.stringify([url, company, foldsCase ? target.toLowerCase() : target])
  const other = places.get(key)
  if (other === undefined) places.set(key, `entity ${shownName(entity)} of subscriber ${shownName(name)} goes to`)
  else report(at, `target ${shown(at, target)} is the one that ${other}`, 'choose another `target`')
}

import { TributaryError } from '../../../schemas/errors.ts'
import { type FieldType, formatFieldType, parseFieldType } from '../../../schemas/field-type.ts'
import { captureDeadLetterTopic, deadLetterTopic, entityTopic, positionsTopic } from '../../../schemas/topics.ts'
import { FIELD_NAME, FIELDS_MAX } from '../definition.ts'
import { NAME } from '../forms.ts'
import { parseDurationMs, parsePostgresPlace } from '../notation.ts'
import { type Path, type Problem, shownName } from '../problem.ts'
import { defaultSlot, SLOT_CHARACTERS_MAX } from '../resolve.ts'
import type { Located } from '../yaml/located.ts'
import { checkBlobs } from './blob-checks.ts'
import type { KnownEntity } from './mapping-checks.ts'
import { checkServers } from './server-checks.ts'
import { checkSubscribers } from './subscriber-checks.ts'
import { isMapping, type Mapping, mappingOf, type Report, type Shown, suggestName, textOf } from './unchecked-values.ts'

/** Checks what no part of the file shows by itself. Takes values that may be wrong in form: that was reported, and is passed over here. */
export function crossCheck(located: Located): readonly Problem[] {
  const problems: Problem[] = []
  const root = mappingOf(located.value)
  const report: Report = (path, message, suggestion, at) => {
    if (!located.spot(path)?.unresolved) problems.push(located.problem(path, message, suggestion, at))
  }
  /** A value as it may be shown: by its reference where it came from the environment. */
  const shown: Shown = (path, value) => {
    const reference = located.spot(path)?.shown
    return reference === undefined ? shownName(value) : `\`${reference}\``
  }
  for (const section of ['sources', 'entities', 'subscribers']) checkNames(root, section, report)
  checkTopics(root, report)
  checkRetention(root, report)
  checkSlots(root, report)
  checkBlobs(root, report)
  checkServers(root, report, (path) => located.spot(path)?.shown !== undefined)
  for (const [name, entity] of Object.entries(mappingOf(root.entities)))
    checkEntity(['entities', name], mappingOf(entity), mappingOf(root.sources), report, shown)
  checkSubscribers(root, knownEntities(root), report, shown)
  return problems
}

function knownEntities(root: Mapping): ReadonlyMap<string, KnownEntity> {
  const entities = Object.entries(mappingOf(root.entities)).flatMap(([name, value]): [string, KnownEntity][] => {
    const { fields, key, class: written } = mappingOf(value)
    // One that has no fields, or none that can be read, was reported: nothing is said of what takes them.
    if (!isMapping(fields)) return []
    const types = Object.entries(fields).flatMap(([field, form]): [string, FieldType][] => {
      const type = typeOf(form)
      return type === undefined ? [] : [[field, type]]
    })
    const parts = Array.isArray(key) ? key : [key]
    return [
      [
        name,
        {
          types: new Map(types),
          fields: Object.keys(fields),
          key: parts.flatMap((part) => textOf(part) ?? []),
          isCritical: written === 'critical',
        },
      ],
    ]
  })
  return new Map(entities)
}

function checkNames(root: Mapping, section: string, report: Report): void {
  const names = Object.keys(mappingOf(root[section]))
  if (names.length === 0 && section !== 'subscribers' && isMapping(root[section]))
    report([section], 'names nothing', section === 'sources' ? 'declare a source' : 'declare an entity')
  const taken = new Map<string, string>()
  for (const name of names) {
    if (!NAME.test(name)) {
      const better = name
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-')
        .replace(/^[^a-z]+|-+$/g, '')
      const suggestion = NAME.test(better) && better !== name ? `write \`${better}\`` : undefined
      report(
        [section, name],
        `${shownName(name)} is not a name: 1 to 60 lower-case letters, digits or -, the first a letter`,
        suggestion,
        'key',
      )
    }
    const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '_')
    const other = taken.get(plain)
    if (other !== undefined)
      report(
        [section, name],
        `${shownName(name)} and ${shownName(other)} become the same name in schemas and tables`,
        'rename one',
        'key',
      )
    else taken.set(plain, name)
  }
}

function checkTopics(root: Mapping, report: Report): void {
  const prefix = textOf(root.name) ?? ''
  const taken = new Map([[positionsTopic(prefix), 'the positions of the sources']])
  const topics = (section: string, topicOf: (prefix: string, name: string) => string, what: string) => {
    for (const name of Object.keys(mappingOf(root[section]))) {
      const topic = topicOf(prefix, name)
      const other = taken.get(topic)
      if (other === undefined) taken.set(topic, `${what} ${shownName(name)}`)
      else
        report(
          [section, name],
          `its topic \`<name>${topic.slice(prefix.length)}\` is taken by ${other}`,
          'choose another name',
          'key',
        )
    }
  }
  topics('sources', captureDeadLetterTopic, 'source')
  topics('subscribers', deadLetterTopic, 'subscriber')
  topics('entities', entityTopic, 'entity')
}

function checkRetention(root: Mapping, report: Report): void {
  const topics = mappingOf(root.topics)
  const erasureMs = parseDurationMs(textOf(topics.erasure) ?? '30d')
  const lagMs = parseDurationMs(textOf(topics.minCompactionLag) ?? '1h')
  if (erasureMs === undefined || lagMs === undefined || lagMs < erasureMs) return
  const path = ['topics', topics.minCompactionLag === undefined ? 'erasure' : 'minCompactionLag']
  report(path, '`minCompactionLag` must be shorter than `erasure`', 'nothing could be erased in time otherwise')
}

function checkSlots(root: Mapping, report: Report): void {
  const taken = new Map<string, string>()
  for (const [name, value] of Object.entries(mappingOf(root.sources))) {
    const source = mappingOf(value)
    const place = parsePostgresPlace(textOf(source.url) ?? '')
    for (const [field, scope] of [
      ['slot', place?.server],
      ['publication', place && `${place.server}/${place.database}`],
    ] as const) {
      const own = textOf(source[field])
      const resolved = own ?? defaultSlot(textOf(root.name) ?? '', name)
      const path = own === undefined ? ['sources', name] : ['sources', name, field]
      if (own === undefined && resolved.length > SLOT_CHARACTERS_MAX)
        report(
          path,
          `the default \`${field}\` is longer than ${SLOT_CHARACTERS_MAX} characters`,
          `set \`${field}\``,
          'key',
        )
      if (scope === undefined) continue
      const other = taken.get(`${field} ${scope} ${resolved}`)
      if (other === undefined) taken.set(`${field} ${scope} ${resolved}`, name)
      else
        report(
          path,
          `source ${shownName(other)} has the same ${field} on the same ${field === 'slot' ? 'server' : 'database'}`,
          `set another \`${field}\``,
        )
    }
  }
}

const NO_KEY_KINDS: readonly FieldType['kind'][] = ['json', 'bytes', 'double', 'array']

function checkEntity(path: Path, entity: Mapping, sources: Mapping, report: Report, shown: Shown): void {
  const source = textOf(entity.source)
  if (source !== undefined && Object.keys(sources).length > 0 && !Object.hasOwn(sources, source)) {
    const at = [...path, 'source']
    report(
      at,
      `source ${shown(at, source)} is not declared`,
      suggestName(source, Object.keys(sources), shown(at, source)),
    )
  }
  const fields = mappingOf(entity.fields)
  const names = Object.keys(fields)
  if (names.length === 0 && isMapping(entity.fields))
    report([...path, 'fields'], 'names no field', 'declare its key at least')
  if (names.length > FIELDS_MAX)
    report([...path, 'fields'], `has ${names.length} fields; ${FIELDS_MAX} is the limit`, undefined, 'key')
  for (const name of names)
    if (!FIELD_NAME.test(name)) {
      const better = name.replace(/[^A-Za-z0-9_]+/g, '_').replace(/^(?=\d)/, '_')
      const suggestion = FIELD_NAME.test(better) ? `write \`${better}: { column: …, type: … }\`` : undefined
      report(
        [...path, 'fields', name],
        `${shownName(name)} is not a field name: 1 to 63 letters, digits or _, the first not a digit`,
        suggestion,
        'key',
      )
    }
  if (names.length > 0) checkKey([...path, 'key'], entity.key, fields, report, shown)
}

function checkKey(path: Path, key: unknown, fields: Mapping, report: Report, shown: Shown): void {
  const parts = Array.isArray(key)
    ? key.map((part, index) => ({ part, at: [...path, index] }))
    : [{ part: key, at: path }]
  const seen = new Set<string>()
  for (const { part, at } of parts) {
    const name = textOf(part)
    if (name === undefined) continue
    if (seen.has(name)) report(at, `${shown(at, name)} is twice in the key`, 'keep one')
    seen.add(name)
    if (!Object.hasOwn(fields, name)) {
      report(
        at,
        `key field ${shown(at, name)} is not among the fields`,
        suggestName(name, Object.keys(fields), shown(at, name)),
      )
      continue
    }
    const type = typeOf(fields[name])
    if (type && NO_KEY_KINDS.includes(type.kind))
      report(
        at,
        `${shown(at, name)} cannot be a key: values of type \`${formatFieldType(type)}\` have no one form`,
        'choose another field',
      )
  }
}

function typeOf(field: unknown): FieldType | undefined {
  const text = textOf(field) ?? textOf(mappingOf(field).type)
  if (text === undefined) return undefined
  try {
    return parseFieldType(text)
  } catch (error) {
    // Reported where the form was checked.
    if (error instanceof TributaryError) return undefined
    throw error
  }
}

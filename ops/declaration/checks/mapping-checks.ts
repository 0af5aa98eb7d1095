import { readPathTemplate } from '../../../connectors/http/request-path.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import type { FieldType } from '../../../schemas/field-type.ts'
import { FIELDS_MAX } from '../definition.ts'
import { IDENTIFIER_BYTES_MAX } from '../notation.ts'
import { type Path, shownName } from '../problem.ts'
import { destinationField } from '../subscribers/field-definition.ts'
import { isSubscriberType, KINDS, type SubscriberKind } from '../subscribers/kinds.ts'
import { type PlannedField, planField } from '../subscribers/plan-field.ts'
import { RESERVED_PREFIX, type Taken } from './target-checks.ts'
import { isMapping, type Mapping, mappingOf, type Report, type Shown, textOf } from './unchecked-values.ts'

const NAME_CHARACTERS_MAX = 255
const NO_FUNCTIONS = new Map()

/** An entity as far as its form is right. */
export interface KnownEntity {
  /** In the order of the file. */
  readonly types: ReadonlyMap<string, FieldType>
  /** All fields, also those whose type is wrong. */
  readonly fields: readonly string[]
  readonly key: readonly string[]
  readonly isCritical: boolean
}

/** Checks what fills the destination fields of one entity at one subscriber, and what holds its key. */
export function checkMapping(taken: Taken, entity: KnownEntity, report: Report, shown: Shown): void {
  const type = textOf(taken.subscriber.type)
  const kind: SubscriberKind = KINDS[isSubscriberType(type) ? type : 'warehouse']
  const planned = checkFields(taken, kind, entity, report, shown)
  if (planned === undefined) return
  if (kind.keyFields !== 'none') checkKey(taken, kind, entity, planned, report, shown)
  else if (type === 'http') checkPath(taken, entity, report)
  checkLookups(taken, kind, planned, report)
}

function checkPath({ path, entity: name, subscription }: Taken, { key }: KnownEntity, report: Report): void {
  if (subscription.key !== undefined)
    report([...path, 'key'], 'an http subscriber finds objects by its `target`', 'remove it', 'key')
  const target = textOf(subscription.target)
  if (target === undefined || /[\s?#\\]/.test(target)) return
  try {
    readPathTemplate({ target, entity: { name, key } })
  } catch (error) {
    if (!(error instanceof TributaryError)) throw error
    // Without the target itself, which may come from the environment.
    report([...path, 'target'], error.message.replace(`the target ${target} `, ''))
  }
}

/** How each destination field is filled, where that is right. */
type Planned = ReadonlyMap<string, Exclude<PlannedField, { readonly faults: unknown }> | undefined>

function checkFields(
  { path, subscription, subscriber }: Taken,
  kind: SubscriberKind,
  { types, fields }: KnownEntity,
  report: Report,
  shown: Shown,
): Planned | undefined {
  const mapped = subscription.fields === undefined ? undefined : mappingOf(subscription.fields)
  const destinations = mapped ? Object.keys(mapped) : fields
  const at = (to: string) => (mapped ? [...path, 'fields', to] : path)
  if (mapped && destinations.length === 0 && isMapping(subscription.fields))
    report([...path, 'fields'], 'maps no field', 'leave `fields` out to take every field')
  if (destinations.length > FIELDS_MAX) {
    // Without a mapping of its own the entity was reported.
    if (mapped)
      report([...path, 'fields'], `has ${destinations.length} fields; ${FIELDS_MAX} is the limit`, undefined, 'key')
    return undefined
  }
  const isTable = !isSubscriberType(textOf(subscriber.type)) || subscriber.type === 'warehouse'
  const seen = new Map<string, string>()
  const planned = new Map<string, Exclude<PlannedField, { readonly faults: unknown }> | undefined>()
  for (const to of destinations) {
    const fault = isTable ? columnFault(to) : nameFault(to)
    if (fault)
      report(
        at(to),
        `destination field ${shownName(to)} ${fault}`,
        mapped ? 'choose another name' : 'map it under another name in `fields`',
        'key',
      )
    const folded = kind.foldsCase ? to.toLowerCase() : to
    const other = seen.get(folded)
    if (other === undefined) seen.set(folded, to)
    else
      report(
        at(to),
        `destination fields ${shownName(other)} and ${shownName(to)} differ in case only`,
        'rename one',
        'key',
      )
    planned.set(to, mapped ? checkField(at(to), mapped[to], { types, fields }, report, shown) : plainOf(to, types))
  }
  return planned
}

function plainOf(name: string, types: ReadonlyMap<string, FieldType>) {
  const type = types.get(name)
  return type && { from: [name], type, transform: null }
}

function checkField(
  path: Path,
  written: unknown,
  { types, fields }: Pick<KnownEntity, 'types' | 'fields'>,
  report: Report,
  shown: Shown,
) {
  const parsed = destinationField.safeParse(written)
  // What is wrong in form was reported.
  if (!parsed.success) return undefined
  // A field whose own type is wrong was reported there; here it is only known.
  const known = new Map(fields.map((name) => [name, types.get(name) ?? ANY]))
  const planned = planField(parsed.data, known, NO_FUNCTIONS, (inner, text) => shown([...path, ...inner], text))
  if (!('faults' in planned)) return planned.from.some((name) => !types.has(name)) ? undefined : planned
  for (const { path: inner, message, suggestion, at } of planned.faults)
    report([...path, ...inner], message, suggestion, at)
  return undefined
}

const ANY: FieldType = { kind: 'string' }

function checkKey(
  { path, subscriber, subscription }: Taken,
  kind: SubscriberKind,
  entity: KnownEntity,
  planned: Planned,
  report: Report,
  shown: Shown,
): void {
  const type = textOf(subscriber.type)
  if (subscription.key === undefined) {
    // What is empty as a whole was reported.
    if (Object.keys(subscription).length === 0) return
    report(path, '`key` is missing', `it names the fields by which ${type} finds an object`, 'key')
    return
  }
  const isList = Array.isArray(subscription.key)
  const isKnown = entity.key.every((part) => entity.fields.includes(part))
  const names = (isList ? subscription.key : [subscription.key]) as readonly unknown[]
  const at = (index: number) => (isList ? [...path, 'key', index] : [...path, 'key'])
  // One field holds a key of several parts as one text.
  const parts = kind.keyFields === 'one' ? 1 : entity.key.length
  if (parts > 0 && names.length !== parts && isKnown)
    report(
      [...path, 'key'],
      `names ${names.length === 1 ? 'a field' : `${names.length} fields`}, and ${kind.keyFields === 'one' ? `${type} finds objects by one` : `the key of the entity has ${parts}`}`,
      kind.keyFields === 'one'
        ? 'name the one that holds the whole key'
        : `name one for each of ${entity.key.map((name) => shownName(name)).join(', ')}, in this order`,
    )
  const seen = new Set<string>()
  for (const [index, value] of names.entries()) {
    const name = textOf(value)
    if (name === undefined) continue
    if (seen.has(name)) report(at(index), `${shown(at(index), name)} is twice in the key`, 'keep one')
    seen.add(name)
    const filled = planned.get(name)
    const expected = entity.key[index]
    if (filled !== undefined && kind.keyFields === 'one' && entity.key.length > 1) {
      report(at(index), `${shown(at(index), name)} holds the whole key`, 'leave it out of `fields`')
      continue
    }
    // A key field that is not declared was reported, and may be a misplaced secret.
    if (filled === undefined || expected === undefined || !entity.fields.includes(expected)) continue
    if (filled.from.length !== 1 || filled.from[0] !== expected)
      report(
        at(index),
        `${shown(at(index), name)} is not filled by ${shownName(expected)}, which is this part of the entity's key`,
        `map it from ${shownName(expected)}, or leave it out of \`fields\``,
      )
    else if (filled.transform !== null && !kind.keyTransforms)
      report(at(index), `${shown(at(index), name)} is made by a transform, and ${type} finds objects by the key itself`)
  }
}

function checkLookups(
  { path, subscriber, subscription }: Taken,
  kind: SubscriberKind,
  planned: Planned,
  report: Report,
): void {
  const lookups = Object.keys(mappingOf(subscription.lookups))
  const type = textOf(subscriber.type)
  if (lookups.length > 0 && !kind.lookups) {
    if (isSubscriberType(type) && type !== 'warehouse')
      report([...path, 'lookups'], `a subscriber of type ${type} has no lookups`, 'remove them', 'key')
    return
  }
  for (const field of lookups)
    if (!planned.has(field))
      report(
        [...path, 'lookups', field],
        `destination field ${shownName(field)} is not mapped`,
        'fill it in `fields` with the key of what it refers to',
        'key',
      )
}

/** Checks that no critical entity waits for a standard one: its class would be held up by the other. */
export function checkReferences(
  path: Path,
  subscriber: Mapping,
  entities: ReadonlyMap<string, KnownEntity>,
  report: Report,
): void {
  const type = textOf(subscriber.type)
  const fold = (target: string) => (isSubscriberType(type) && KINDS[type].foldsCase ? target.toLowerCase() : target)
  const taken = Object.entries(mappingOf(subscriber.entities)).map(([name, value]) => [name, mappingOf(value)] as const)
  const standard = new Map(
    taken.flatMap(([name, { target }]) => {
      const text = textOf(target)
      return text !== undefined && entities.get(name)?.isCritical === false ? [[fold(text), name] as const] : []
    }),
  )
  for (const [name, subscription] of taken) {
    if (!entities.get(name)?.isCritical) continue
    for (const [field, value] of Object.entries(mappingOf(subscription.lookups))) {
      const target = textOf(mappingOf(value).target)
      const other = target === undefined ? undefined : standard.get(fold(target))
      if (other === undefined) continue
      report(
        [...path, 'entities', name, 'lookups', field],
        `a critical entity would wait for ${shownName(other)}, which is a standard one`,
        `make ${shownName(other)} critical as well, or map the field without a lookup`,
        'key',
      )
    }
  }
}

function columnFault(name: string): string | undefined {
  if (name.toLowerCase().startsWith(RESERVED_PREFIX)) return `begins with \`${RESERVED_PREFIX}\`, which is reserved`
  if (Buffer.byteLength(name) > IDENTIFIER_BYTES_MAX) return `is longer than ${IDENTIFIER_BYTES_MAX} bytes`
  return unwritable(name)
}

function nameFault(name: string): string | undefined {
  return name.length > NAME_CHARACTERS_MAX ? `is longer than ${NAME_CHARACTERS_MAX} characters` : unwritable(name)
}

function unwritable(name: string): string | undefined {
  return name === '' || /\p{C}/u.test(name) ? 'is empty or has invisible characters' : undefined
}

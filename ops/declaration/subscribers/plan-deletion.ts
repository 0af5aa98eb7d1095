import { type ConditionalDelete, DELETE_POLICIES } from '../../../connectors/destination.ts'
import { literalValue } from '../../../consumers/transforms/literal.ts'
import { type FieldType, formatFieldType, type Value } from '../../../schemas/field-type.ts'
import { type Shown, suggestName } from '../checks/unchecked-values.ts'
import { didYouMean, shownName } from '../problem.ts'
import type { WrittenDeletion } from './deletion-definition.ts'
import type { FieldFault } from './plan-field.ts'

/** What is known of an entity that a subscriber takes. */
export interface TakenEntity {
  /** The table, collection or resource it goes to. */
  readonly target: string
  readonly types: ReadonlyMap<string, FieldType>
  /** Entity field → the destination field that it fills as it is. */
  readonly filled: ReadonlyMap<string, string>
}

/** What a conditional delete comes to, or everything that is wrong with it. */
export type PlannedDeletion = ConditionalDelete | { readonly faults: readonly FieldFault[] }

/**
 * Follows the names of a conditional delete. Pure.
 * @param deleted the entity whose deletes it is about, with the types of its key fields
 * @param taken what the subscriber takes, by entity
 * @param shown how a text at a path may be shown
 */
export function planDeletion(
  written: WrittenDeletion,
  deleted: { readonly name: string; readonly key: readonly (FieldType | undefined)[] },
  taken: ReadonlyMap<string, TakenEntity>,
  shown: Shown = (_, text) => shownName(text),
): PlannedDeletion {
  const faults: FieldFault[] = []
  const fault = (path: FieldFault['path'], message: string, suggestion?: string, at?: 'key') => {
    faults.push({ path, message, suggestion, ...(at && { at }) })
    return undefined
  }
  const [policy, ...others] = DELETE_POLICIES.filter((one) => written[one] !== undefined)
  if (policy === undefined) {
    fault([], 'has no policy with a condition', 'write one such as `soft: { while: … }`', 'key')
    return { faults }
  }
  for (const other of others)
    fault([other], 'a second condition', 'one policy has a condition, and `else` says the rest', 'key')
  if (written.else === policy)
    fault(['else'], 'is what happens while the condition holds, too', 'choose another policy')

  const { entity, field, where } = written[policy]!.while
  const path = [policy, 'while'] as const
  const referring = taken.get(entity)
  if (referring === undefined) {
    const at = [...path, 'entity']
    fault(
      at,
      `this subscriber does not take ${shown(at, entity)}`,
      suggestName(entity, [...taken.keys()], shown(at, entity)),
    )
    return { faults }
  }
  if (entity === deleted.name) fault([...path, 'entity'], 'is the entity itself', 'name the one that refers to it')

  /** The destination field that a field of the other entity fills, and its type. */
  const filledBy = (name: string, at: FieldFault['path'], where?: 'key') => {
    const type = referring.types.get(name)
    const to = referring.filled.get(name)
    const display = where === undefined ? shown(at, name) : shownName(name)
    if (type === undefined)
      return fault(
        at,
        `entity ${shown([...path, 'entity'], entity)} has no field ${display}`,
        didYouMean(name, [...referring.types.keys()]),
        where,
      )
    if (to === undefined)
      return fault(
        at,
        `${display} is not sent to this subscriber as it is`,
        'map it in its `fields`, without a transform',
        where,
      )
    return { to, type }
  }
  const names = typeof field === 'string' ? [field] : field
  if (names.length !== deleted.key.length)
    fault(
      [...path, 'field'],
      `names ${names.length} fields, and the key has ${deleted.key.length}`,
      'name one for each field of the key',
    )
  const refersBy = names.map((name, index) => {
    const at = typeof field === 'string' ? [...path, 'field'] : [...path, 'field', index]
    const found = filledBy(name, at)
    const keyType = deleted.key[index]
    if (found && keyType && !isAlike(found.type, keyType))
      fault(at, `is of type \`${formatFieldType(found.type)}\`, and the key of type \`${formatFieldType(keyType)}\``)
    return found
  })
  const wanted = Object.entries(where).map(([name, literal]) => {
    const at = [...path, 'where', name]
    const found = filledBy(name, at, 'key')
    if (found === undefined) return undefined
    const value: Value | undefined = literal === null ? null : literalValue(found.type, literal)
    if (value === undefined)
      return fault(at, `must be a value of type \`${formatFieldType(found.type)}\`, or empty for null`)
    return { ...found, value }
  })
  if (faults.length > 0) return { faults }
  return {
    policy,
    while: {
      entity,
      target: referring.target,
      refersBy: refersBy.map((one) => one!),
      where: wanted.map((one) => one!),
    },
    otherwise: written.else,
  }
}

/** int32 refers to int64 and the other way round; everything else to its own kind. */
function isAlike(a: FieldType, b: FieldType): boolean {
  const kindOf = ({ kind }: FieldType) => (kind === 'int32' ? 'int64' : kind)
  return kindOf(a) === kindOf(b)
}

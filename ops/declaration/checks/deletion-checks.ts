import { deletion } from '../subscribers/deletion-definition.ts'
import { planDeletion, type TakenEntity } from '../subscribers/plan-deletion.ts'
import { defaultTarget } from '../subscribers/resolve.ts'
import type { KnownEntity } from './mapping-checks.ts'
import type { Taken } from './target-checks.ts'
import { isMapping, type Mapping, mappingOf, type Report, type Shown, textOf } from './unchecked-values.ts'

/** Checks a delete policy that depends on a condition. What is wrong in form was reported. */
export function checkDeletion(
  { path, subscriber, subscription, entity }: Taken,
  entities: ReadonlyMap<string, KnownEntity>,
  report: Report,
  shown: Shown,
): void {
  if (!isMapping(subscription.onDelete) || textOf(subscriber.type) !== 'warehouse') return
  const parsed = deletion().safeParse(subscription.onDelete)
  const known = entities.get(entity)
  if (!parsed.success || known === undefined) return
  const at = [...path, 'onDelete']
  const deleted = { name: entity, key: known.key.map((name) => known.types.get(name)) }
  const planned = planDeletion(parsed.data, deleted, takenEntities(subscriber, entities), (inner, text) =>
    shown([...at, ...inner], text),
  )
  if (!('faults' in planned)) return
  for (const { path: inner, message, suggestion, at: where } of planned.faults)
    report([...at, ...inner], message, suggestion, where)
}

function takenEntities(subscriber: Mapping, entities: ReadonlyMap<string, KnownEntity>): Map<string, TakenEntity> {
  const taken = new Map<string, TakenEntity>()
  for (const [name, value] of Object.entries(mappingOf(subscriber.entities))) {
    const known = entities.get(name)
    const subscription = mappingOf(value)
    if (known === undefined) continue
    const pairs =
      subscription.fields === undefined
        ? known.fields.map((field) => [field, field] as const)
        : Object.entries(mappingOf(subscription.fields))
    const filled = pairs.flatMap(([to, from]) => {
      const plain = textOf(from) ?? (isMapping(from) && Object.keys(from).length === 1 ? textOf(from.from) : undefined)
      return plain === undefined ? [] : [[plain, to] as const]
    })
    taken.set(name, {
      target: textOf(subscription.table) ?? defaultTarget(name),
      types: known.types,
      filled: new Map(filled.reverse()),
    })
  }
  return taken
}

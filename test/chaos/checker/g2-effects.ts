import type { DestinationAbout, EffectEntry, Fields, RunHistory, TopicEntry } from '../histories/history.ts'
import { compare, newest, type ObjectHistory, project, same, told, violation } from './objects.ts'
import type { Verdict, Violation } from './verdict.ts'

/**
 * G2: the newest state of every key takes effect, and what takes effect are states: absolute values of the record whose version the request
 * has, never a mixture of two. A destination that compares versions shows that after each effect; at others a late request may mix for a
 * while, so only what was sent is looked at.
 */
export function checkG2({ about }: RunHistory, objects: readonly ObjectHistory[]): Verdict {
  const violations: Violation[] = []
  let compared = 0
  for (const object of objects)
    for (const destination of about.destinations) {
      const names = destination.fields[object.entity]
      if (names === undefined || object.topic.length === 0) continue
      const effects = (object.effects.get(destination.name) ?? []).filter(({ result }) => result === 'applied')
      const wrong = (what: string) => violations.push(violation('G2', object, `${destination.name}: ${what}`))
      compared++
      const final = newest(object.topic)!
      const held = effects.at(-1)?.after ?? null
      const isLetter = object.letters.get(destination.name)?.at(-1)?.letter != null
      if (!isLetter && !same(held, project(final.fields, names)))
        wrong(
          `the newest record, ${final.version}, says ${told(project(final.fields, names))}, and what took effect is ${told(held)}`,
        )
      for (const effect of effects) {
        if (effect.version === null) continue
        compared++
        const what = noStateOf(destination, effect, object.topic, names)
        if (what !== undefined) wrong(what)
      }
    }
  return { guarantee: 'G2', compared, violations }
}

/** Why an effect is none of a record's state; undefined when it is one. */
function noStateOf(
  destination: DestinationAbout,
  effect: EffectEntry,
  topic: readonly TopicEntry[],
  names: readonly string[],
): string | undefined {
  // One version may have been published twice, completed from the row as it was each time.
  const records = topic.filter((record) => compare(record, effect) === 0).map(({ fields }) => project(fields, names))
  // What a sweep deletes has a version of its own.
  if (records.length === 0)
    return effect.op === 'delete' ? undefined : `no record has the version ${effect.version} of effect ${effect.number}`
  if (effect.op === 'delete')
    return records.includes(null)
      ? undefined
      : `effect ${effect.number} deletes at ${effect.version}, which is no delete`
  const isState = (record: Fields | null) =>
    destination.comparesVersions ? same(record, effect.after) : record !== null && isPartOf(effect.sent, record)
  if (records.some(isState)) return undefined
  const did = destination.comparesVersions ? effect.after : effect.sent
  return `effect ${effect.number} at ${effect.version} is ${told(did)}, and the record says ${told(records[0])}`
}

function isPartOf(sent: Fields | null, record: Fields): boolean {
  return Object.entries(sent ?? {}).every(([name, value]) => record[name] === value)
}

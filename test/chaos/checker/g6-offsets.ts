import type { EffectEntry, ProgressSample, RunHistory, TopicEntry } from '../histories/history.ts'
import { compare, newer, type ObjectHistory, project, same, violation } from './objects.ts'
import type { Verdict, Violation } from './verdict.ts'

/**
 * G6: the committed offset never passes an unfinished record. At each sample, every record before the committed offset has taken effect by
 * then, or one that is newer has, or the destination held already what it says, or it is among the dead letters.
 */
export function checkG6({ about, progress }: RunHistory, objects: readonly ObjectHistory[]): Verdict {
  const violations: Violation[] = []
  let compared = 0
  for (const { name, fields } of about.destinations)
    for (const object of objects) {
      const names = fields[object.entity]
      if (names === undefined) continue
      const place = `${object.entity}/${object.topic[0]?.partition}`
      const finished = finishedBy(object, name, names)
      let passed = 0
      let record: TopicEntry | undefined
      for (const sample of progress) {
        const committed = sample.committed[name]?.[place] ?? 0
        const before = passed
        // Each record is looked at once: when it is passed. A group that goes back repeats.
        for (; passed < object.topic.length && object.topic[passed]!.offset < committed; passed++)
          record = newer(record, object.topic[passed]!)
        if (record === undefined || passed === before) continue
        compared++
        if (finished(record, sample)) continue
        violations.push(
          violation(
            'G6',
            object,
            `${name}: at ${new Date(sample.atMs).toISOString()} the committed offset had passed ${record.version} at ${record.partition}@${record.offset}, which had not taken effect`,
          ),
        )
        break
      }
    }
  return { guarantee: 'G6', compared, violations }
}

/** Whether a record of an object was finished at a sample; for samples in the order of time, as the effects are gone through once. */
function finishedBy(object: ObjectHistory, name: string, names: readonly string[]) {
  const effects = (object.effects.get(name) ?? []).filter(({ result }) => result === 'applied')
  const letters = object.letters.get(name) ?? []
  let passed = 0
  let newest: EffectEntry | undefined
  return (record: TopicEntry, sample: ProgressSample): boolean => {
    for (; passed < effects.length && effects[passed]!.number <= (sample.effects[name] ?? 0); passed++) {
      const next = effects[passed]!
      if (next.version !== null) newest = newer(newest, next)
    }
    if (newest !== undefined && compare(newest, record) >= 0) return true
    // It differed in nothing from what is held, or was undone by a newer one with which it was taken together.
    const held = effects[passed - 1]?.after ?? null
    const isAsHeld = ({ fields }: TopicEntry) => same(project(fields, names), held)
    if (isAsHeld(record) || object.topic.some((one) => compare(one, record) >= 0 && isAsHeld(one))) return true
    return letters.some(({ atMs, letter }) => letter && atMs <= sample.atMs && compare(letter, record) >= 0)
  }
}

import type { ProgressSample, RunHistory, TopicEntry } from '../histories/history.ts'
import { compare, newest, type ObjectHistory, project, same, violation } from './objects.ts'
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
      let passed = 0
      for (const sample of progress) {
        const committed = sample.committed[name]?.[place] ?? 0
        const before = object.topic.filter(({ offset }) => offset < committed)
        // Each record is looked at once: when it is passed. A group that goes back repeats.
        if (before.length <= passed) continue
        passed = before.length
        const record = newest(before)!
        compared++
        if (isFinished(object, record, sample, name, names)) continue
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

function isFinished(
  object: ObjectHistory,
  record: TopicEntry,
  sample: ProgressSample,
  name: string,
  names: readonly string[],
): boolean {
  const effects = (object.effects.get(name) ?? []).filter(
    ({ number, result }) => result === 'applied' && number <= (sample.effects[name] ?? 0),
  )
  if (effects.some((effect) => effect.version !== null && compare(effect, record) >= 0)) return true
  // It differed in nothing from what is held, or was undone by a newer one with which it was taken together.
  const held = effects.at(-1)?.after ?? null
  const asNew = object.topic.filter((one) => compare(one, record) >= 0)
  if (asNew.some(({ fields }) => same(project(fields, names), held))) return true
  return (object.letters.get(name) ?? []).some(
    ({ atMs, letter }) => letter && atMs <= sample.atMs && compare(letter, record) >= 0,
  )
}

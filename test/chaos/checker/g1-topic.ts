import { BEFORE, type Fields, type RunHistory } from '../histories/history.ts'
import { compare, newest, type ObjectHistory, same, told, violation } from './objects.ts'
import type { Verdict, Violation } from './verdict.ts'

/**
 * G1: no change is lost on the way to the topic. The last record of a key is its newest version and says what the source says; and where the
 * source's history was continued, every state that a transaction left is there, in order.
 */
export function checkG1({ about }: RunHistory, objects: readonly ObjectHistory[]): Verdict {
  const violations: Violation[] = []
  let compared = 0
  for (const object of objects) {
    const last = object.topic.at(-1)
    const final = object.source.at(-1)
    if (final === undefined && last === undefined) continue
    const wrong = (what: string) => violations.push(violation('G1', object, what))
    compared++
    const best = newest(object.topic)
    if (last !== undefined && best !== undefined && compare(last, best) < 0)
      wrong(`its last record, ${last.version}, is older than ${best.version}`)
    const source = final?.fields ?? null
    const topic = last?.fields ?? null
    if (!same(source, topic)) wrong(`the source ended with ${told(source)}, and the topic with ${told(topic)}`)
    else if (about.isContinuous && !about.completed.includes(object.entity)) {
      const missing = missingState(object)
      if (missing !== undefined) wrong(`the topic lacks a state that was committed, or has it out of order: ${missing}`)
      compared += object.source.length
    }
  }
  return { guarantee: 'G1', compared, violations }
}

/** The first committed state that is not found on the topic behind the one before it. A transaction that changes nothing is not told. */
function missingState({ source, topic }: ObjectHistory): string | undefined {
  const versions = [...topic].sort(compare)
  let before: Fields | null = null
  let at = 0
  for (const [index, { fields, transaction, number }] of source.entries()) {
    // Of one transaction, the last state counts.
    if (source[index + 1]?.transaction === transaction) continue
    const isChange = !same(before, fields)
    before = fields
    // What was there before is told by the snapshot, as it is by then.
    if (!isChange || transaction === BEFORE) continue
    while (at < versions.length && !same(versions[at]!.fields, fields)) at++
    if (at === versions.length) return `change ${number}, ${told(fields)}`
    at++
  }
  return undefined
}

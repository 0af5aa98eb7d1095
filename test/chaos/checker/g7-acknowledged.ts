import type { RunHistory, TopicEntry } from '../histories/history.ts'
import { type ObjectHistory, versionOf, violation } from './objects.ts'
import type { Verdict, Violation } from './verdict.ts'

interface Record {
  readonly object: ObjectHistory
  readonly record: TopicEntry
  readonly position: bigint
}

/**
 * G7: the source is never acknowledged beyond what Kafka holds. A sample reads the slot first and the topics' ends afterwards, so a change
 * whose position was confirmed is before those ends. Snapshot rows tell of positions long confirmed and are left out, as is what a
 * broken history left behind.
 */
export function checkG7({ progress }: RunHistory, objects: readonly ObjectHistory[]): Verdict {
  const violations: Violation[] = []
  let compared = 0
  const epochs = recordsByEpoch(objects)
  const newestFirst = [...epochs.keys()].sort((a, b) => (a > b ? -1 : 1))
  const done = new Map<bigint, number>()
  for (const { confirmed, ends, atMs } of progress) {
    const isThere = ({ entity, partition, offset }: TopicEntry) => offset < (ends[`${entity}/${partition}`] ?? 0)
    // The epoch that the topics had come to by then.
    const epoch = newestFirst.find((one) => epochs.get(one)!.some(({ record }) => isThere(record)))
    if (confirmed === null || epoch === undefined) continue
    const records = epochs.get(epoch)!
    let at = done.get(epoch) ?? 0
    // A version's position is where the commit's record begins: confirmed is what lies before, so not the one that begins just there.
    for (; at < records.length && records[at]!.position < BigInt(confirmed); at++) {
      const { object, record } = records[at]!
      compared++
      if (!isThere(record))
        violations.push(
          violation(
            'G7',
            object,
            `${confirmed} was confirmed by ${new Date(atMs).toISOString()}, before Kafka held ${record.version}`,
          ),
        )
    }
    done.set(epoch, at)
  }
  return { guarantee: 'G7', compared, violations }
}

/** The first record of each version, by epoch, in the order of positions. */
function recordsByEpoch(objects: readonly ObjectHistory[]): ReadonlyMap<bigint, readonly Record[]> {
  const epochs = new Map<bigint, Record[]>()
  for (const object of objects) {
    const seen = new Set<string>()
    for (const record of object.topic) {
      const { epoch, position, ordinal } = versionOf(record)
      if (ordinal < 0 || seen.has(record.version)) continue
      seen.add(record.version)
      const list = epochs.get(epoch) ?? []
      list.push({ object, record, position })
      epochs.set(epoch, list)
    }
  }
  for (const list of epochs.values()) list.sort((a, b) => (a.position < b.position ? -1 : 1))
  return epochs
}

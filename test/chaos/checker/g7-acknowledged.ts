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
 * whose position was confirmed is before those ends. Snapshot rows tell of positions long confirmed and are left out; but one of an epoch
 * that an earlier sample has seen tells that the slot is that epoch's by now, also where nothing of it was streamed yet: the first change of
 * an epoch may be confirmed too early as well. Seen by the same sample only, it may have come after the slot was read, which was of the
 * epoch before: positions of two histories cannot be compared.
 */
export function checkG7({ progress }: RunHistory, objects: readonly ObjectHistory[]): Verdict {
  const violations: Violation[] = []
  let compared = 0
  const epochs = recordsByEpoch(objects)
  const newestFirst = [...epochs.keys()].sort((a, b) => (a > b ? -1 : 1))
  const begun = beginnings(objects)
  const done = new Map<bigint, number>()
  let known = -1n
  for (const { confirmed, ends, atMs } of progress) {
    const isThere = ({ entity, partition, offset }: TopicEntry) => offset < (ends[`${entity}/${partition}`] ?? 0)
    // The epoch that the topics had come to by then.
    const streamed = newestFirst.find((one) => epochs.get(one)!.some(({ record }) => isThere(record))) ?? -1n
    const epoch = streamed > known ? streamed : known
    for (const [one, records] of begun) if (one > known && records.some(isThere)) known = one
    const records = epochs.get(epoch)
    if (confirmed === null || records === undefined) continue
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

/** The first record of each partition, by epoch: whether one of them is there says whether the epoch has begun. */
function beginnings(objects: readonly ObjectHistory[]): ReadonlyMap<bigint, readonly TopicEntry[]> {
  const epochs = new Map<bigint, Map<string, TopicEntry>>()
  for (const { topic } of objects)
    for (const record of topic) {
      const { epoch } = versionOf(record)
      const places = epochs.get(epoch) ?? new Map<string, TopicEntry>()
      epochs.set(epoch, places)
      const place = `${record.entity}/${record.partition}`
      const first = places.get(place)
      if (first === undefined || record.offset < first.offset) places.set(place, record)
    }
  return new Map([...epochs].map(([epoch, places]) => [epoch, [...places.values()]]))
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

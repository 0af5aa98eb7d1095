import { partitionOf } from '../connectors/kafka/murmur2.ts'
import type { OutgoingRecord } from '../connectors/kafka/producer.ts'
import { fenceHeaders, fenceKey } from '../schemas/fence.ts'

/** A fence for each partition of a topic. Pure. */
export function fenceRecords(topic: string, partitions: number, source: string): readonly OutgoingRecord[] {
  const records = new Map<number, OutgoingRecord>()
  for (let number = 0; records.size < partitions; number++) {
    const key = fenceKey(number)
    const partition = partitionOf(key, partitions)
    if (!records.has(partition)) records.set(partition, { topic, key, value: null, headers: fenceHeaders(source) })
  }
  return [...records.values()]
}

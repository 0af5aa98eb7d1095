import type { IncomingRecord } from '../../connectors/kafka/consumer.ts'
import type { PartitionHistory } from '../../connectors/kafka/partition-history.ts'
import type { Change } from '../../schemas/delta.ts'
import { recordOf } from './fixtures.ts'

/** A partition in memory; `records` may grow while it is read, and lose what compaction would take away. */
export function ownHistory(...changes: readonly Change[]) {
  const records: IncomingRecord[] = []
  const own = {
    records,
    readings: 0,
    /** Called after each batch, by the number of the reading. */
    onBatch: (_reading: number): void | Promise<void> => {},
    append(...more: readonly Change[]) {
      for (const change of more) records.push(recordOf(change, (records.at(-1)?.offset ?? -1n) + 1n))
    },
  }
  own.append(...changes)
  const history: PartitionHistory = {
    async range() {
      const first = records[0]
      return first === undefined ? null : { next: first.offset, end: records.at(-1)!.offset + 1n }
    },
    async *read(_topic, _partition, { next, end }, signal) {
      const reading = ++own.readings
      for (let at = next; at < end; at += BATCH) {
        signal.throwIfAborted()
        const upTo = at + BATCH < end ? at + BATCH : end
        yield { records: records.filter(({ offset }) => offset >= at && offset < upTo), done: Number(upTo - next) }
        await own.onBatch(reading)
      }
    },
  }
  return { ...own, own, history }
}

const BATCH = 2n

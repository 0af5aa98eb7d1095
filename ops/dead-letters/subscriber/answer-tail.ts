import { setTimeout as wait } from 'node:timers/promises'
import { openAdmin } from '../../../connectors/kafka/admin.ts'
import type { Kafka } from '../../../connectors/kafka/client.ts'
import type { IncomingRecord } from '../../../connectors/kafka/consumer.ts'
import { createPartitionReader, isOutOfRange } from '../../../connectors/kafka/partition-fetch.ts'
import { TributaryError } from '../../../schemas/errors.ts'

/** How long the brokers may fail before it gives up. */
const STANDSTILL_MS_MAX = 30_000
const RETRY_PAUSE_MS = 250

/** What is written to a commands topic from now on. */
export interface AnswerTail {
  /**
   * Hands on what was written since the last call, and returns when there is no more.
   * @throws TributaryError `kafka-unreachable` when the brokers fail for {@link STANDSTILL_MS_MAX}
   */
  read(onRecord: (record: IncomingRecord) => void, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** @throws TributaryError `topic-missing`, `kafka-unreachable` */
export async function tailAnswers(kafka: Kafka, brokers: readonly string[], topic: string): Promise<AnswerTail> {
  const offsets = async () => {
    const admin = await openAdmin(kafka, brokers)
    try {
      return await admin.topicOffsets(topic)
    } finally {
      await admin.close()
    }
  }
  const places = new Map((await offsets()).map(({ partition, high }) => [partition, high]))
  const reader = createPartitionReader(kafka, topic)
  await reader.connect()

  const fetchOn = async (partition: number, next: bigint, signal: AbortSignal) => {
    const deadline = performance.now() + STANDSTILL_MS_MAX
    for (;;) {
      try {
        return await reader.fetch(partition, next)
      } catch (cause) {
        if (isOutOfRange(cause)) {
          // Retention has taken what was written, and with it what was not read in time.
          const low = (await offsets()).find((row) => row.partition === partition)?.low
          if (low !== undefined && low > next) return { records: [], next: low }
        }
        if (performance.now() > deadline)
          throw new TributaryError(
            'kafka-unreachable',
            `Reading topic ${topic} from ${brokers.join(', ')} stood still: ${(cause as Error).message}. Check that the brokers run.`,
            { cause },
          )
        await wait(RETRY_PAUSE_MS, undefined, { signal })
        await reader.refresh().catch(() => {})
      }
    }
  }
  return {
    async read(onRecord, signal) {
      for (const [partition, from] of places) {
        for (let next = from; ; ) {
          signal.throwIfAborted()
          const fetched = await fetchOn(partition, next, signal)
          if (fetched.next <= next) break
          for (const record of fetched.records) onRecord(record)
          next = fetched.next
          places.set(partition, next)
        }
      }
    },
    close: () => reader.close(),
  }
}

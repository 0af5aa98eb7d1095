import type { Kafka } from '../../../connectors/kafka/client.ts'
import { scanTopic } from '../../../connectors/kafka/scan-topic.ts'
import { isFence } from '../../../schemas/fence.ts'
import type { ReadRow } from './rows.ts'

/** The next offset of each partition. */
export type Place = ReadonlyMap<number, bigint>

/** What was appended to a topic between two places, by the broker's own clock. */
export interface TopicRun {
  readonly records: number
  /** Of keys, values and headers. */
  readonly bytes: number
  readonly firstAppendMs: number
  readonly lastAppendMs: number
  /** Records after those of the first moment, over the time since. */
  readonly recordsPerSecond: number
  /** The same for the second half of the records: a process that has warmed up. */
  readonly secondHalfPerSecond: number
  /** The last row of each key. */
  readonly rows: readonly string[]
}

export interface TopicReading {
  readonly kafka: Kafka
  readonly brokers: readonly string[]
  readonly topic: string
  readonly readRow: ReadRow
}

/** The topic has to have `message.timestamp.type=LogAppendTime`. */
export async function readTopicRun(reading: TopicReading, from: Place, to: Place): Promise<TopicRun> {
  const range = Object.fromEntries(
    [...to].map(([partition, end]) => [partition, { next: String(from.get(partition) ?? 0n), end: String(end) }]),
  )
  const appended = new Map<number, number>()
  const last = new Map<string, { key: string; value: Buffer }>()
  let records = 0
  let bytes = 0
  const never = new AbortController().signal
  const { kafka, brokers, topic } = reading
  for await (const batch of scanTopic(kafka, brokers, topic, range, never))
    for (const record of batch.records) {
      if (isFence(record)) continue
      const { key, value, headers, timestampMs } = record
      records++
      bytes += (key?.length ?? 0) + (value?.length ?? 0)
      for (const [name, header] of Object.entries(headers)) bytes += name.length + (header?.length ?? 0)
      appended.set(timestampMs, (appended.get(timestampMs) ?? 0) + 1)
      // A copy: what is read is a part of something larger.
      if (value !== null) last.set(key!.toString('latin1'), { key: key!.toString(), value: Buffer.from(value) })
    }
  const rows: string[] = []
  for (const { key, value } of last.values()) rows.push(await reading.readRow(key, value))
  return { records, bytes, ...ratesOf(appended), rows }
}

/** @param appended how many records each moment got */
export function ratesOf(
  appended: ReadonlyMap<number, number>,
): Pick<TopicRun, 'firstAppendMs' | 'lastAppendMs' | 'recordsPerSecond' | 'secondHalfPerSecond'> {
  const moments = [...appended].sort(([a], [b]) => a - b)
  const total = moments.reduce((sum, [, count]) => sum + count, 0)
  const lastAppendMs = moments.at(-1)?.[0] ?? Number.NaN
  const rateAfter = (index: number) => {
    const before = moments.slice(0, index + 1).reduce((sum, [, count]) => sum + count, 0)
    return ((total - before) / (lastAppendMs - (moments[index]?.[0] ?? Number.NaN))) * 1000
  }
  let seen = 0
  const middle = moments.findIndex(([, count]) => {
    seen += count
    return seen >= total / 2
  })
  return {
    firstAppendMs: moments[0]?.[0] ?? Number.NaN,
    lastAppendMs,
    recordsPerSecond: rateAfter(0),
    secondHalfPerSecond: rateAfter(middle),
  }
}

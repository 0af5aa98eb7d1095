import { openAdmin } from '../../../connectors/kafka/admin.ts'
import type { Environment } from '../../../ops/process/environment.ts'

/** Settings under which a topic is compacted within seconds. The segment that is written to never is, so a record has to follow. */
export const EAGER_COMPACTION = {
  'segment.ms': '500',
  'min.cleanable.dirty.ratio': '0.001',
  'min.compaction.lag.ms': '0',
  'max.compaction.lag.ms': '500',
} as const

/** How long a record waits, at least, until the next one starts a new segment. */
export const SEGMENT_MS = Number(EAGER_COMPACTION['segment.ms'])

export async function alterTopics(
  { kafka, declaration }: Pick<Environment, 'kafka' | 'declaration'>,
  topics: readonly string[],
  configs: Readonly<Record<string, string>>,
): Promise<void> {
  const admin = await openAdmin(kafka, declaration.kafka.brokers)
  try {
    for (const topic of topics) await admin.alterTopic(topic, configs)
  } finally {
    await admin.close()
  }
}

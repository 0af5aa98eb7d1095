import type { Kafka, Log } from '../connectors/kafka/client.ts'
import { scanTopic, topicRange } from '../connectors/kafka/scan-topic.ts'
import { captureDeadLetterTopic } from '../schemas/topics.ts'
import { OPEN_KEYS_MAX, type OpenDeadLetters } from './open-dead-letters.ts'

/**
 * Fills the set from the topic. To be called once the source is held by this process and no other: a former holder may have written until
 * then, and what it had not settled comes again in the stream.
 * @throws TributaryError `topic-missing`, `kafka-unreachable`
 */
export async function loadDeadLetters(
  kafka: Kafka,
  brokers: readonly string[],
  prefix: string,
  source: string,
  log: Log,
  into: OpenDeadLetters,
  signal: AbortSignal,
): Promise<void> {
  const topic = captureDeadLetterTopic(prefix, source)
  const whole = await topicRange(kafka, brokers, topic)
  try {
    for await (const { records } of scanTopic(kafka, brokers, topic, whole, signal))
      for (const record of records) into.restore(record)
  } catch (error) {
    // Cut short on purpose: nothing is captured after it.
    if (signal.aborted) return
    throw error
  }
  if (into.untracked === 0) return
  log(
    'warn',
    `source ${source} has more than ${OPEN_KEYS_MAX} capture dead letters. The others stay when their rows are corrected, until they are ` +
      `replayed: \`tributary dlq replay ${source}\``,
    { source, topic, untracked: into.untracked },
  )
}

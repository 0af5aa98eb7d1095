import type { Kafka, Log } from '../connectors/kafka/client.ts'
import { readTopic } from '../connectors/kafka/read-topic.ts'
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
): Promise<void> {
  const topic = captureDeadLetterTopic(prefix, source)
  await readTopic(kafka, brokers, topic, (record) => into.restore(record))
  if (into.untracked === 0) return
  log(
    'warn',
    `source ${source} has more than ${OPEN_KEYS_MAX} capture dead letters. The others stay when their rows are corrected, until they are ` +
      `replayed: \`tributary dlq replay ${source}\``,
    { source, topic, untracked: into.untracked },
  )
}

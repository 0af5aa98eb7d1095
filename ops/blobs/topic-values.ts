import { openAdmin, topicsMissing } from '../../connectors/kafka/admin.ts'
import { scanTopic, topicRange } from '../../connectors/kafka/scan-topic.ts'
import type { Environment } from '../process/environment.ts'
import { wantedTopics } from '../provision/topics.ts'

/**
 * The values of every topic of the pipeline, those of entities and subscribers that are not declared any more included: they may be
 * declared again, and their records refer to blobs.
 * @throws TributaryError `topic-missing` when one that is declared does not exist: then this may be another cluster than the one that was
 * written to, and nothing can be said of what is referred to
 */
export async function* topicValues(
  { declaration, kafka }: Environment,
  onTopic: (topic: string) => void,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const { brokers } = declaration.kafka
  const admin = await openAdmin(kafka, brokers)
  let topics: readonly string[]
  try {
    topics = await admin.topicsBelow(`${declaration.name}.`)
  } finally {
    await admin.close()
  }
  const missing = wantedTopics(declaration).filter(({ topic }) => !topics.includes(topic))
  if (missing.length > 0) throw topicsMissing(missing.map(({ topic }) => topic))
  for (const topic of topics) {
    onTopic(topic)
    const range = await topicRange(kafka, brokers, topic)
    for await (const { records } of scanTopic(kafka, brokers, topic, range, signal))
      for (const { value } of records) if (value !== null) yield value
  }
}

import { scanTopic, topicRange } from '../../../connectors/kafka/scan-topic.ts'
import { deltaSchema } from '../../../schemas/avro.ts'
import { createDeltaEncoder } from '../../../schemas/codec.ts'
import type { Delta } from '../../../schemas/delta.ts'
import { captureDeadLetterTopic } from '../../../schemas/topics.ts'
import type { DeclaredSource } from '../../declaration/declaration.ts'
import { openSource } from '../../process/capture.ts'
import type { Environment } from '../../process/environment.ts'
import { type LetterFilter, type OpenLetter, OpenLetters } from './open-letters.ts'
import { type RowNow, readRowNow } from './show.ts'

/** The open dead letters of a source that match. */
export async function readLetters(
  { declaration, kafka }: Environment,
  source: string,
  filter: LetterFilter,
  signal: AbortSignal,
): Promise<OpenLetters> {
  const open = new OpenLetters(filter)
  const { brokers } = declaration.kafka
  const topic = captureDeadLetterTopic(declaration.name, source)
  const whole = await topicRange(kafka, brokers, topic)
  for await (const { records } of scanTopic(kafka, brokers, topic, whole, signal))
    for (const record of records) open.take(record)
  return open
}

/** Never written: what an encoder does is tried out with it. */
const ANY_SCHEMA_ID = 1

/**
 * What the source has now for the row of a dead letter.
 * @throws TributaryError `source-unreachable`, `source-unsuitable`
 */
export async function askSource(environment: Environment, source: DeclaredSource, letter: OpenLetter): Promise<RowNow> {
  const { declaration } = environment
  const entity = declaration.entities.get(letter.entity)
  if (entity === undefined || entity.source !== source.name) return { state: 'undeclared' }
  const encode = createDeltaEncoder(entity, deltaSchema(declaration.name, entity), ANY_SCHEMA_ID)
  const opened = openSource(environment, source)
  const { key, version } = letter
  try {
    return await readRowNow(
      entity.fields,
      async (fields) => (await opened.hydrate(entity.name, [key], fields, [])).get(key),
      (after) => {
        const delta: Delta = {
          op: 'update',
          entity: entity.name,
          key,
          version,
          changed: null,
          after,
          source: letter.source,
          origin: null,
          claims: {},
        }
        encode(delta)
      },
    )
  } finally {
    await opened.close()
  }
}

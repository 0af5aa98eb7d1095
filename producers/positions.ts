import { z } from 'zod'
import type { Kafka } from '../connectors/kafka/client.ts'
import { readTopic } from '../connectors/kafka/read-topic.ts'
import type { SourceState } from '../connectors/source.ts'
import { TributaryError } from '../schemas/errors.ts'
import { positionsTopic } from '../schemas/topics.ts'

const stateSchema = z.object({
  epoch: z.number().int().positive(),
  system: z.string().max(200),
  snapshots: z.record(z.string(), z.object({ position: z.string().regex(/^\d{1,20}$/), fields: z.array(z.string()) })),
})

/**
 * Reads the last resume state of a source from the positions topic; null when it has none yet.
 * @throws TributaryError `topic-missing`, `kafka-unreachable`, `position-corrupt`
 */
export async function loadState(
  kafka: Kafka,
  brokers: readonly string[],
  prefix: string,
  source: string,
): Promise<SourceState | null> {
  let last: Buffer | null = null
  await readTopic(kafka, brokers, positionsTopic(prefix), (record) => {
    if (record.key?.toString() === source) last = record.value
  })
  return last === null ? null : parseState(prefix, source, last)
}

/** @throws TributaryError `position-corrupt` when the stored state cannot be read: starting afresh instead could lose changes */
export function parseState(prefix: string, source: string, value: Buffer): SourceState {
  try {
    return stateSchema.parse(JSON.parse(value.toString()))
  } catch (cause) {
    throw new TributaryError(
      'position-corrupt',
      `The stored position of source ${source} cannot be read, so nothing was captured; its slot keeps the changes. ` +
        `Look at the records with key ${source} in topic ${positionsTopic(prefix)}, and write the last good one again.`,
      { cause: withoutText(cause) },
    )
  }
}

/** The parser's own message quotes what it read. */
function withoutText(cause: unknown): Error {
  return new Error(cause instanceof z.ZodError ? 'not the fields of a position' : 'not JSON')
}

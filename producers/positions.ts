import { z } from 'zod'
import type { Kafka } from '../connectors/kafka/client.ts'
import type { OutgoingRecord } from '../connectors/kafka/producer.ts'
import { readTopic } from '../connectors/kafka/read-topic.ts'
import type { StoredState } from '../connectors/source.ts'
import { TributaryError } from '../schemas/errors.ts'
import { positionsTopic } from '../schemas/topics.ts'
import type { Settled } from './settle.ts'

/** The name of the pipeline's own value; every other is the source's. */
const POSITION = 'position'

const positionSchema = z.object({
  position: z
    .string()
    .regex(/^\d{1,20}$/)
    .transform(BigInt),
  mark: z.string().max(200).nullable(),
})

/** The record that keeps `value` under `<source>/<name>`; null removes it. */
export function storedRecord(prefix: string, source: string, name: string, value: object | null): OutgoingRecord {
  const bytes = value === null ? null : Buffer.from(JSON.stringify(value))
  return { topic: positionsTopic(prefix), key: `${source}/${name}`, value: bytes, headers: {} }
}

export function positionRecord(prefix: string, source: string, { position, mark }: Settled): OutgoingRecord {
  return storedRecord(prefix, source, POSITION, { position: String(position), mark })
}

/**
 * Reads what is stored of a source in the positions topic.
 * @throws TributaryError `topic-missing`, `kafka-unreachable`, `position-corrupt`
 */
export async function loadStored(
  kafka: Kafka,
  brokers: readonly string[],
  prefix: string,
  source: string,
): Promise<StoredState> {
  const last = new Map<string, Buffer>()
  await readTopic(kafka, brokers, positionsTopic(prefix), ({ key, value }) => {
    const name = key?.toString() ?? ''
    if (!name.startsWith(`${source}/`)) return
    if (value === null) last.delete(name.slice(source.length + 1))
    else last.set(name.slice(source.length + 1), value)
  })
  return parseStored(prefix, source, last)
}

/** @throws TributaryError `position-corrupt` when a value cannot be read: starting afresh instead could lose changes */
export function parseStored(prefix: string, source: string, stored: ReadonlyMap<string, Buffer>): StoredState {
  const values = new Map<string, unknown>()
  let position: StoredState['position'] = null
  for (const [name, value] of stored) {
    try {
      const json: unknown = JSON.parse(value.toString())
      if (name === POSITION) position = positionSchema.parse(json)
      else values.set(name, json)
    } catch (cause) {
      throw new TributaryError(
        'position-corrupt',
        `What is stored of source ${source} as "${name}" cannot be read, so nothing was captured; its slot keeps the changes. ` +
          `Look at the records with key ${source}/${name} in topic ${positionsTopic(prefix)}, and write the last good one again.`,
        { cause: withoutText(cause) },
      )
    }
  }
  return { values, position }
}

/** The parser's own message quotes what it read. */
function withoutText(cause: unknown): Error {
  return new Error(cause instanceof z.ZodError ? 'not the fields of a position' : 'not JSON')
}

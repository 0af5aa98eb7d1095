import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { partitionOf } from '../../connectors/kafka/murmur2.ts'
import { createProducer } from '../../connectors/kafka/producer.ts'
import { pollPatiently, tailTopic } from '../../connectors/kafka/tail-topic.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { formatMessage, parseMessage, type ResyncCommand } from '../../schemas/subscriber-command.ts'
import { commandsTopic } from '../../schemas/topics.ts'
import type { DeclaredEntity } from '../declaration/declaration.ts'
import type { DeclaredSubscriber } from '../declaration/subscribers/declared.ts'
import type { Environment } from '../process/environment.ts'
import { type ResyncNews, ResyncTally } from './tally.ts'

const POLL_MS = 200

/**
 * The commands of a resync: one for each partition, or the one of the key. Pure but for their random ids.
 * @throws TributaryError `declaration-invalid` for an entity that the subscriber does not take
 */
export function resyncCommands(
  { name, mappings }: Pick<DeclaredSubscriber, 'name' | 'mappings'>,
  only: string | undefined,
  key: string | undefined,
  at: Date,
): readonly ResyncCommand[] {
  const taken = mappings.map(({ entity }) => entity as DeclaredEntity)
  const entities = only === undefined ? taken : taken.filter((entity) => entity.name === only)
  if (entities.length === 0)
    throw new TributaryError(
      'declaration-invalid',
      `Subscriber ${name} does not take entity ${only ?? ''}; it takes: ${taken.map((entity) => entity.name).join(', ')}.`,
    )
  return entities.flatMap((entity) => {
    const all = Array.from({ length: entity.partitions }, (_, partition) => partition)
    const partitions = key === undefined ? all : [partitionOf(key, entity.partitions)]
    return partitions.map((partition) => ({
      kind: 'resync' as const,
      id: randomUUID(),
      entity: entity.name,
      partition,
      key: key ?? null,
      at: at.toISOString(),
    }))
  })
}

export interface FollowOptions {
  readonly wait: boolean
  /** It gives up once nothing new was heard for so long. */
  readonly quietMsMax: number
  readonly onNews: (news: ResyncNews) => void
}

/**
 * Asks the owners of the partitions, and follows what they answer.
 * @returns what became of it; commands that still wait were not answered in time, and stay on their topic
 * @throws TributaryError `topic-missing`, `kafka-unreachable`, `publish-failed`
 */
export async function askForResync(
  { declaration, kafka }: Environment,
  subscriber: string,
  commands: readonly ResyncCommand[],
  { wait: isAwaited, quietMsMax, onNews }: FollowOptions,
  signal: AbortSignal,
): Promise<ResyncTally> {
  const topic = commandsTopic(declaration.name, subscriber)
  const tally = new ResyncTally(commands)
  const tail = await tailTopic(kafka, declaration.kafka.brokers, topic, 'end')
  const producer = createProducer(kafka)
  try {
    await producer.connect()
    await producer.send(commands.map((command) => ({ topic, ...formatMessage(command), headers: {} })))
    for (let heardAt = performance.now(); isAwaited && tally.waiting.length > 0; ) {
      let isNews = false
      await pollPatiently(
        tail,
        (record) => {
          if (tally.take(parseMessage(record.key, record.value))) isNews = true
        },
        signal,
      )
      if (isNews) heardAt = performance.now()
      onNews(tally.news())
      if (performance.now() - heardAt > quietMsMax) break
      if (tally.waiting.length > 0) await wait(POLL_MS, undefined, { signal })
    }
  } finally {
    await producer.close()
    await tail.close()
  }
  return tally
}

import type { TopicSettings } from '../../connectors/kafka/admin.ts'
import { TributaryError } from '../../schemas/errors.ts'
import {
  captureDeadLetterTopic,
  commandsTopic,
  deadLetterTopic,
  entityTopic,
  positionsTopic,
} from '../../schemas/topics.ts'
import type { Declaration } from '../declaration/declaration.ts'

/** The largest batch a broker takes on our topics; a record is bounded well below it. */
export const MESSAGE_BYTES_MAX = 12 * 1024 * 1024
const DEAD_LETTER_PARTITIONS = 3
/** A segment is rolled at least this often, so that compaction gets at it. */
const SEGMENT_MS_MAX = 7 * 24 * 3_600_000
const HOUR_MS = 3_600_000
/** How long a command waits for its subscriber at most. */
const COMMAND_MS_MAX = 7 * 24 * HOUR_MS

/** Every topic that the declaration needs, with the settings that the guarantees rest on. */
export function wantedTopics(declaration: Declaration): readonly TopicSettings[] {
  const { name: prefix, kafka, topics } = declaration
  const replication = kafka.replication
  const shared = {
    'cleanup.policy': 'compact',
    'max.message.bytes': String(MESSAGE_BYTES_MAX),
    // The broker's clock alone: it refuses what a producer dates an hour ahead, and compacts at once what one dates long ago.
    'message.timestamp.type': 'LogAppendTime',
    'min.insync.replicas': String(replication >= 3 ? 2 : 1),
    'unclean.leader.election.enable': 'false',
    // An erased value is gone once its segment is closed and compacted: half the time for each.
    'segment.ms': String(Math.min(SEGMENT_MS_MAX, Math.floor(topics.erasureMs / 2))),
    'max.compaction.lag.ms': String(Math.max(Math.floor(topics.erasureMs / 2), topics.minCompactionLagMs)),
    'delete.retention.ms': String(topics.deleteRetentionMs),
  }
  const compacted = { ...shared, 'min.compaction.lag.ms': String(topics.minCompactionLagMs) }
  const small = { ...shared, 'min.compaction.lag.ms': '0', 'segment.ms': String(HOUR_MS) }
  // What nobody carried out or asked about goes too: a command names a key, which may be personal data.
  const commands = {
    ...compacted,
    'cleanup.policy': 'compact,delete',
    'retention.ms': String(Math.min(COMMAND_MS_MAX, Math.floor(topics.erasureMs / 2))),
  }
  return [
    ...[...declaration.entities.values()].map(({ name, partitions }) => ({
      topic: entityTopic(prefix, name),
      partitions,
      replication,
      configs: compacted,
    })),
    ...[...declaration.subscribers.keys()].map((subscriber) => ({
      topic: deadLetterTopic(prefix, subscriber),
      partitions: DEAD_LETTER_PARTITIONS,
      replication,
      configs: compacted,
    })),
    ...[...declaration.subscribers.keys()].map((subscriber) => ({
      topic: commandsTopic(prefix, subscriber),
      partitions: 1,
      replication,
      configs: commands,
    })),
    ...[...declaration.sources.keys()].map((source) => ({
      topic: captureDeadLetterTopic(prefix, source),
      partitions: DEAD_LETTER_PARTITIONS,
      replication,
      configs: compacted,
    })),
    { topic: positionsTopic(prefix), partitions: 1, replication, configs: small },
  ]
}

/** The settings that are read back and compared. */
export const COMPARED_CONFIGS = [
  'cleanup.policy',
  'max.message.bytes',
  'message.timestamp.type',
  'min.insync.replicas',
  'unclean.leader.election.enable',
  'segment.ms',
  'min.compaction.lag.ms',
  'max.compaction.lag.ms',
  'delete.retention.ms',
  'retention.ms',
] as const

export type TopicPlan =
  | { readonly action: 'create'; readonly topic: TopicSettings }
  | { readonly action: 'alter'; readonly topic: TopicSettings; readonly changes: Readonly<Record<string, string>> }
  | { readonly action: 'none'; readonly topic: TopicSettings }

/**
 * Decides what has to be done so that the topics are as wanted.
 * @throws TributaryError `declaration-invalid` for another number of partitions: it would move keys, and break their order
 */
export function planTopics(
  wanted: readonly TopicSettings[],
  present: ReadonlyMap<string, TopicSettings>,
): readonly TopicPlan[] {
  const moved = wanted.flatMap((topic) => {
    const existing = present.get(topic.topic)
    if (!existing || existing.partitions === topic.partitions) return []
    return `${topic.topic} has ${existing.partitions} partitions and is declared with ${topic.partitions}`
  })
  if (moved.length > 0)
    throw new TributaryError(
      'declaration-invalid',
      `The number of partitions of a topic cannot be changed, because keys would move and lose their order: ${moved.join('; ')}. Declare what is there.`,
    )
  return wanted.map((topic) => {
    const existing = present.get(topic.topic)
    if (!existing) return { action: 'create', topic }
    const changes = Object.fromEntries(
      Object.entries(topic.configs).filter(([name, value]) => existing.configs[name] !== value),
    )
    return Object.keys(changes).length === 0 ? { action: 'none', topic } : { action: 'alter', topic, changes }
  })
}

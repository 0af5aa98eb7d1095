import type { TopicSettings } from '../../../connectors/kafka/admin.ts'
import { type COMPARED_CONFIGS, planTopics } from '../../provision/topics.ts'
import { counted, type Finding, fail, gather, ok, orElse, warn } from '../finding.ts'

interface Weight {
  readonly tell: typeof fail
  /** What another value costs. */
  readonly why: string
}

const SETTINGS: Readonly<Record<(typeof COMPARED_CONFIGS)[number], Weight>> = {
  'cleanup.policy': { tell: fail, why: 'objects that nobody changes would leave the topic, or never be compacted' },
  'max.message.bytes': {
    tell: fail,
    why: 'a record that is allowed may be refused, or a foreign one be too large to read',
  },
  'message.timestamp.type': { tell: fail, why: 'a producer with a wrong clock could publish nothing' },
  'min.insync.replicas': { tell: fail, why: 'an acknowledged change may be on one broker alone, or no write be taken' },
  'unclean.leader.election.enable': { tell: fail, why: 'a broker that lacks acknowledged changes may become leader' },
  'min.compaction.lag.ms': {
    tell: fail,
    why: 'intermediate changes go before a repeated record can be told from them',
  },
  'delete.retention.ms': { tell: fail, why: 'a subscriber that was away may miss deletes, or they stay for too long' },
  'segment.ms': { tell: warn, why: 'erased values stay for longer than declared' },
  'max.compaction.lag.ms': { tell: warn, why: 'erased values stay for longer than declared' },
  'retention.ms': { tell: warn, why: 'commands go too early, or their keys stay for too long' },
}

/** Whether the topics are as `tributary provision` makes them. Pure. */
export function decideTopics(
  subject: string,
  wanted: readonly TopicSettings[],
  present: ReadonlyMap<string, TopicSettings>,
): readonly Finding[] {
  const name = 'kafka-topics'
  const isMoved = ({ topic, partitions }: TopicSettings) =>
    (present.get(topic)?.partitions ?? partitions) !== partitions
  const moved = wanted.filter(isMoved).map(({ topic, partitions }) => {
    const there = present.get(topic)!.partitions
    const todo = `Write partitions: ${there} in tributary.yaml. The topic cannot be changed: keys would move, and lose their order`
    return fail(name, topic, `has ${there} partitions, and ${partitions} are declared`, todo)
  })
  const plans = planTopics(
    wanted.filter((topic) => !isMoved(topic)),
    present,
  )
  const missing = plans.filter(({ action }) => action === 'create').map(({ topic }) => topic.topic)
  const absent = missing.map((topic) => fail(name, topic, 'does not exist', 'tributary provision'))
  const others = plans.flatMap((plan): Finding[] => {
    const { topic } = plan.topic
    if (plan.action !== 'alter') return []
    return Object.entries(plan.changes).map(([setting, value]) => {
      const { tell, why } = SETTINGS[setting as keyof typeof SETTINGS]
      const is = present.get(topic)!.configs[setting] ?? 'not set'
      return tell(name, topic, `${setting} is ${is} instead of ${value}: ${why}`, 'tributary provision')
    })
  })
  return orElse(
    [...gather(absent, subject, 'topics do not exist'), ...moved, ...others],
    ok(name, subject, `${counted(wanted.length, 'topic')} with the declared partitions and settings`),
  )
}

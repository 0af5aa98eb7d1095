import kafkajs, { type Admin, type Kafka } from 'kafkajs'
import { TributaryError } from '../../schemas/errors.ts'
import { hungUpOnTls, speaksTls } from '../../schemas/tls.ts'
import { within } from '../within.ts'
import { brokersOf, isPlain } from './client.ts'
import { type BrokerSettings, brokerSettings, type PartitionReplicas, partitionReplicas } from './cluster.ts'
import type { TopicPartition } from './consumer.ts'
import { plainToTls, refusalOf } from './refusal.ts'

/** What a topic is, or should be. `configs` holds only what matters to us. */
export interface TopicSettings {
  readonly topic: string
  readonly partitions: number
  readonly replication: number
  readonly configs: Readonly<Record<string, string>>
}

/** A place in a partition for `status`: what a group has finished and what there is. */
export interface GroupLag extends TopicPartition {
  /** null when the group has never committed here. */
  readonly committed: bigint | null
  readonly low: bigint
  readonly high: bigint
}

export interface KafkaAdmin {
  /** The settings of those topics that exist. `configNames`: which settings to read. */
  describeTopics(topics: readonly string[], configNames: readonly string[]): Promise<Map<string, TopicSettings>>
  /** The topics whose names begin so, in order. */
  topicsBelow(prefix: string): Promise<readonly string[]>
  createTopics(topics: readonly TopicSettings[]): Promise<void>
  /** Sets these configs and leaves every other one as it is. */
  alterTopic(topic: string, configs: Readonly<Record<string, string>>): Promise<void>
  /** Where a group stands on these topics, a row a partition. */
  groupLag(groupId: string, topics: readonly string[]): Promise<readonly GroupLag[]>
  /** The first and the next offset of every partition of a topic. */
  topicOffsets(topic: string): Promise<readonly { partition: number; low: bigint; high: bigint }[]>
  /** The first offset of each partition whose record is of that time (ms since 1970) or later; its end where there is none. */
  offsetsAt(topic: string, timestampMs: number): Promise<ReadonlyMap<number, bigint>>
  /** The ids of the brokers that are there now. */
  brokers(): Promise<readonly number[]>
  /** These settings of each broker. Needs the right to describe the configs of the cluster. */
  brokerSettings(configNames: readonly string[]): Promise<readonly BrokerSettings[]>
  /** Where the partitions of these topics are, which have to exist. */
  replicas(topics: readonly string[]): Promise<readonly PartitionReplicas[]>
  /** How many members a group has now; 0 for one that there is not. */
  groupMembers(groupId: string): Promise<number>
  /** Commits offsets for a group without members. */
  setOffsets(
    groupId: string,
    topic: string,
    offsets: readonly { readonly partition: number; readonly to: bigint }[],
  ): Promise<void>
  deleteGroup(groupId: string): Promise<void>
  close(): Promise<void>
}

const CREATE_TIMEOUT_MS = 30_000
const LEADER_POLL_MS = 100
/** How long the brokers may take to answer at all. The library would wait 30 s for one that accepts and says nothing. */
const REACH_MS_MAX = 8_000

/**
 * @param brokers for the messages
 * @throws TributaryError `kafka-unreachable` here, within {@link REACH_MS_MAX}, and in every method; `kafka-unsuitable` where the brokers
 * refuse us
 */
export async function openAdmin(kafka: Kafka, brokers: readonly string[]): Promise<KafkaAdmin> {
  const admin = kafka.admin({ retry: { initialRetryTime: 200, maxRetryTime: 2_000, retries: 5 } })
  await reach(admin, brokers, isPlain(kafka))
  return {
    describeTopics: (topics, configNames) =>
      wrap(brokers, 'reading topic settings', () => describeTopics(admin, topics, configNames)),
    topicsBelow: (prefix) =>
      wrap(brokers, 'listing topics', async () =>
        (await admin.listTopics()).filter((topic) => topic.startsWith(prefix)).sort(),
      ),
    createTopics: (topics) => wrap(brokers, 'creating topics', () => createTopics(admin, topics)),
    alterTopic: (topic, configs) =>
      wrap(brokers, `altering topic ${topic}`, async () => {
        // AlterConfigs replaces everything, so what is set now is sent along.
        const present = await dynamicConfigs(admin, topic)
        const entries = Object.entries({ ...present, ...configs }).map(([name, value]) => ({ name, value }))
        await admin.alterConfigs({
          validateOnly: false,
          resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries: entries }],
        })
      }),
    groupLag: (groupId, topics) => wrap(brokers, 'reading offsets', () => groupLag(admin, groupId, topics)),
    topicOffsets: (topic) => wrap(brokers, 'reading offsets', () => topicOffsets(admin, topic)),
    offsetsAt: (topic, timestampMs) =>
      wrap(brokers, 'reading offsets', async () => {
        const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, timestampMs)
        return new Map(offsets.map(({ partition, offset }) => [partition, BigInt(offset)]))
      }),
    brokers: () =>
      wrap(brokers, 'asking for its brokers', async () =>
        (await admin.describeCluster()).brokers.map(({ nodeId }) => nodeId).sort((a, b) => a - b),
      ),
    brokerSettings: (names) => wrap(brokers, 'reading settings of brokers', () => brokerSettings(admin, names)),
    replicas: (topics) => wrap(brokers, 'asking where partitions are', () => partitionReplicas(admin, topics)),
    groupMembers: (groupId) =>
      wrap(brokers, `describing group ${groupId}`, async () => {
        const { groups } = await admin.describeGroups([groupId])
        return groups[0]?.members.length ?? 0
      }),
    setOffsets: (groupId, topic, offsets) =>
      wrap(brokers, `setting the offsets of group ${groupId}`, async () => {
        const partitions = offsets.map(({ partition, to }) => ({ partition, offset: to.toString() }))
        await admin.setOffsets({ groupId, topic, partitions })
      }),
    deleteGroup: (groupId) =>
      wrap(brokers, `removing group ${groupId}`, async () => {
        await admin.deleteGroups([groupId])
      }),
    close: () => admin.disconnect(),
  }
}

/** Connects and hears an answer: a connection alone may lead to something that is no broker. */
async function reach(admin: Admin, brokers: readonly string[], inPlainText: boolean): Promise<void> {
  const connecting = admin.connect().then(() => admin.describeCluster())
  try {
    await within(REACH_MS_MAX, connecting)
  } catch (cause) {
    // The library goes on trying behind our back; what it then says is of no interest.
    connecting.catch(() => {})
    admin.disconnect().catch(() => {})
    const failure = unreachable(brokers, cause)
    if (inPlainText && failure.fate === 'retry' && (await anySpeaksTls(brokers))) throw plainToTls(brokers, cause)
    throw failure
  }
}

/** To plain text such a broker says nothing that the library understands, or hangs up. */
async function anySpeaksTls(brokers: readonly string[]): Promise<boolean> {
  const answers = await Promise.all(
    brokers.map((broker) => {
      const colon = broker.lastIndexOf(':')
      return speaksTls(broker.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), Number(broker.slice(colon + 1)))
    }),
  )
  return answers.includes(true)
}

/** No broker answers, or they refuse us. The library puts "Connection error:" before the reason. */
export function unreachable(brokers: readonly string[], cause: unknown): TributaryError {
  const refusal = refusalOf(cause)
  if (refusal !== undefined) return refusal
  const reason = (cause instanceof Error ? cause.message : String(cause)).replace(/^Connection error: /, '')
  return new TributaryError(
    'kafka-unreachable',
    `No Kafka broker answers at ${brokers.join(', ')}: ${reason}. Check kafka.brokers and that the brokers run${
      hungUpOnTls(cause) ? ', and that this is their port for TLS' : ''
    }.`,
    { cause },
  )
}

/**
 * Checks that topics exist, before anything rests on them.
 * @throws TributaryError `topic-missing` naming those that do not, `kafka-unreachable`
 */
export async function requireTopics(kafka: Kafka, topics: readonly string[]): Promise<void> {
  const admin = await openAdmin(kafka, brokersOf(kafka))
  try {
    const present = await admin.describeTopics(topics, [])
    const missing = topics.filter((topic) => !present.has(topic))
    if (missing.length > 0) throw topicsMissing(missing)
  } finally {
    await admin.close()
  }
}

/**
 * The first and the next offset of every partition of a topic, asked with a connection of its own.
 * @throws TributaryError `topic-missing`, `kafka-unreachable`
 */
export async function offsetsOf(kafka: Kafka, brokers: readonly string[], topic: string) {
  const admin = await openAdmin(kafka, brokers)
  try {
    return await admin.topicOffsets(topic)
  } finally {
    await admin.close()
  }
}

export function topicsMissing(topics: readonly string[], cause?: unknown): TributaryError {
  const which = topics.length === 1 ? `Topic ${topics[0]} does` : `Topics ${topics.join(', ')} do`
  return new TributaryError('topic-missing', `${which} not exist. Run \`tributary provision\`.`, { cause })
}

async function describeTopics(admin: Admin, topics: readonly string[], configNames: readonly string[]) {
  const existing = new Set(await admin.listTopics())
  const wanted = topics.filter((topic) => existing.has(topic))
  const found = new Map<string, TopicSettings>()
  if (wanted.length === 0) return found
  const metadata = await admin.fetchTopicMetadata({ topics: wanted })
  const configs = await admin.describeConfigs({
    includeSynonyms: false,
    resources: wanted.map((name) => ({
      type: kafkajs.ConfigResourceTypes.TOPIC,
      name,
      configNames: [...configNames],
    })),
  })
  for (const { name, partitions } of metadata.topics) {
    const resource = configs.resources.find((candidate) => candidate.resourceName === name)
    found.set(name, {
      topic: name,
      partitions: partitions.length,
      replication: partitions[0]?.replicas.length ?? 0,
      configs: Object.fromEntries(
        (resource?.configEntries ?? []).map((entry) => [entry.configName, entry.configValue]),
      ),
    })
  }
  return found
}

async function createTopics(admin: Admin, topics: readonly TopicSettings[]): Promise<void> {
  if (topics.length === 0) return
  await admin.createTopics({
    // The library's own wait gives up on the first broker that has not heard of the topic yet.
    waitForLeaders: false,
    timeout: CREATE_TIMEOUT_MS,
    topics: topics.map(({ topic, partitions, replication, configs }) => ({
      topic,
      numPartitions: partitions,
      replicationFactor: replication,
      configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
    })),
  })
  await waitForLeaders(admin, topics)
}

/** Waits until every partition has a leader, and that leader knows of it: the brokers hear of a new topic one after the other. */
async function waitForLeaders(admin: Admin, topics: readonly TopicSettings[]): Promise<void> {
  const deadline = performance.now() + CREATE_TIMEOUT_MS
  for (;;) {
    try {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: topics.map(({ topic }) => topic) })
      const led = found.filter(
        ({ partitions }) => partitions.length > 0 && partitions.every(({ leader }) => leader >= 0),
      )
      if (led.length === topics.length) {
        for (const { topic } of topics) await admin.fetchTopicOffsets(topic)
        return
      }
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
    if (performance.now() > deadline)
      throw new TributaryError(
        'kafka-unreachable',
        `New topics had no leader after ${CREATE_TIMEOUT_MS} ms. Check the brokers.`,
      )
    await new Promise((resolve) => setTimeout(resolve, LEADER_POLL_MS))
  }
}

/** Kafka's numbers for where a config comes from: 1 is «set on this topic». */
const TOPIC_CONFIG_SOURCE = 1

async function dynamicConfigs(admin: Admin, topic: string): Promise<Record<string, string>> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
  })
  const entries = resources[0]?.configEntries ?? []
  return Object.fromEntries(
    entries
      .filter((entry) => (entry.configSource as unknown as number) === TOPIC_CONFIG_SOURCE)
      .map((entry) => [entry.configName, entry.configValue]),
  )
}

async function topicOffsets(admin: Admin, topic: string) {
  try {
    const offsets = await admin.fetchTopicOffsets(topic)
    return offsets.map(({ partition, low, high }) => ({ partition, low: BigInt(low), high: BigInt(high) }))
  } catch (cause) {
    if (!isMissingTopic(cause)) throw cause
    throw topicsMissing([topic], cause)
  }
}

/** The broker's answer may be the cause of an error that counts the library's retries. */
function isMissingTopic(error: unknown): boolean {
  const { type, cause } = error as { type?: string; cause?: { type?: string } }
  return (type ?? cause?.type) === 'UNKNOWN_TOPIC_OR_PARTITION'
}

async function committedOffsets(admin: Admin, groupId: string, topics: readonly string[]) {
  try {
    return await admin.fetchOffsets({ groupId, topics: [...topics] })
  } catch (cause) {
    // The answer does not say which one is missing; this does.
    if (isMissingTopic(cause)) for (const topic of topics) await topicOffsets(admin, topic)
    throw cause
  }
}

async function groupLag(admin: Admin, groupId: string, topics: readonly string[]): Promise<readonly GroupLag[]> {
  const committed = new Map<string, bigint>()
  for (const { topic, partitions } of await committedOffsets(admin, groupId, topics)) {
    for (const { partition, offset } of partitions)
      if (offset !== '-1') committed.set(`${topic}/${partition}`, BigInt(offset))
  }
  const rows: GroupLag[] = []
  for (const topic of topics) {
    for (const { partition, low, high } of await topicOffsets(admin, topic))
      rows.push({ topic, partition, low, high, committed: committed.get(`${topic}/${partition}`) ?? null })
  }
  return rows
}

/** What the library says of a group that has no coordinator now, and of one that we have no right to: it keeps the broker's answer to itself. */
const NO_COORDINATOR = 'Failed to find group coordinator'

async function wrap<T>(brokers: readonly string[], doing: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (cause) {
    if (cause instanceof TributaryError) throw cause
    const refusal = refusalOf(cause)
    if (refusal !== undefined) throw refusal
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new TributaryError(
      'kafka-unreachable',
      `Kafka at ${brokers.join(', ')} failed while ${doing}: ${detail}. Check kafka.brokers and that the brokers run${
        detail === NO_COORDINATOR ? ', and that our user may use the group' : ''
      }.`,
      { cause },
    )
  }
}

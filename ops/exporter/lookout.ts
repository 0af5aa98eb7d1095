import { type GroupLag, type KafkaAdmin, openAdmin } from '../../connectors/kafka/admin.ts'
import {
  createPartitionReader,
  isOutOfRange,
  type PartitionReader,
  unreadable,
} from '../../connectors/kafka/partition-fetch.ts'
import { type TopicTail, tailTopic } from '../../connectors/kafka/tail-topic.ts'
import type { Ledger } from '../../consumers/ledger/ledger.ts'
import { deadLetterTopic } from '../../schemas/topics.ts'
import { Questions } from '../cli/questions.ts'
import type { DeclaredSubscriber } from '../declaration/subscribers/declared.ts'
import { groupsOf, openLedgerToLook } from '../process/delivery.ts'
import type { Environment } from '../process/environment.ts'
import { type ClusterLook, type GroupLook, lagOf, type PartitionLook, type SubscriberLetters } from './look.ts'
import { OpenLetterCounts } from './open-letters.ts'

/** How many holes that compaction left are passed over in search of the first record that waits; behind more of them its age is not told. */
const HOLES_MAX = 16

/** A broker gives one batch of records whatever fewer bytes it is asked for. */
const ONE_BATCH = 1

/** Looks at what no single process sees: all groups, all dead letters, the servers. Keeps its connections from look to look. */
export class Lookout {
  readonly #environment: Environment
  readonly #subscribers: readonly DeclaredSubscriber[]
  readonly #letters = new Map<string, { readonly tail: TopicTail; readonly counts: OpenLetterCounts }>()
  readonly #readers = new Map<string, PartitionReader>()
  #admin: KafkaAdmin | null = null
  #ledger: Ledger | null = null

  constructor(environment: Environment) {
    this.#environment = environment
    this.#subscribers = [...environment.declaration.subscribers.values()]
  }

  /** @throws what is a defect, and the signal's reason */
  async look(signal: AbortSignal): Promise<ClusterLook> {
    const questions = new Questions()
    const [registry, ledger, groups] = await Promise.all([
      questions.ask(this.#environment.registry.ping().then(() => true)),
      questions.ask(this.#server()),
      questions.ask(this.#groups()),
    ])
    const letters = groups === undefined ? undefined : await questions.ask(this.#allLetters(signal))
    if (groups === undefined || letters === undefined) await this.#closeKafka()
    return {
      up: { kafka: groups !== undefined, registry: registry === true, redis: ledger !== undefined },
      groups: groups ?? [],
      letters: letters ?? [],
      ledger: ledger ?? null,
      failures: questions.failures,
    }
  }

  async close(): Promise<void> {
    this.#ledger?.close()
    this.#ledger = null
    await this.#closeKafka()
  }

  async #closeKafka(): Promise<void> {
    const open = [this.#admin, ...this.#readers.values(), ...[...this.#letters.values()].map(({ tail }) => tail)]
    this.#admin = null
    this.#readers.clear()
    this.#letters.clear()
    // Whatever they say now, they are not used again.
    await Promise.allSettled(open.map((one) => one?.close()))
  }

  async #server() {
    this.#ledger ??= openLedgerToLook(this.#environment)
    try {
      if (!this.#ledger.ready) await this.#ledger.connect()
      return await this.#ledger.server()
    } catch (error) {
      this.#ledger?.close()
      this.#ledger = null
      throw error
    }
  }

  async #groups(): Promise<readonly GroupLook[]> {
    const { declaration, kafka } = this.#environment
    this.#admin ??= await openAdmin(kafka, declaration.kafka.brokers)
    const looks: GroupLook[] = []
    for (const subscriber of this.#subscribers)
      for (const { entityClass, groupId, routes } of groupsOf(declaration, subscriber)) {
        const entities = new Map(routes.map(({ topic, mapping }) => [topic, mapping.entity.name]))
        const [lags, members] = await Promise.all([
          this.#admin.groupLag(groupId, [...entities.keys()]),
          this.#admin.groupMembers(groupId),
        ])
        const partitions: PartitionLook[] = []
        for (const lag of lags)
          partitions.push({ ...lag, entity: entities.get(lag.topic)!, waitingSinceMs: await this.#waitingSince(lag) })
        looks.push({ groupId, subscriber: subscriber.name, entityClass, members, partitions })
      }
    return looks
  }

  /** When the first record that the group has not finished was published. */
  async #waitingSince(lag: GroupLag): Promise<number | null> {
    if (lagOf(lag) === 0n) return null
    const { topic, partition, committed, low, high } = lag
    let next = committed === null || committed < low ? low : committed
    try {
      const reader = await this.#reader(topic)
      for (let holes = 0; next < high && holes < HOLES_MAX; holes++) {
        const { records, next: after } = await reader.fetch(partition, next, ONE_BATCH)
        const first = records[0]
        if (first !== undefined) return first.timestampMs
        if (after <= next) return null
        next = after
      }
      return null
    } catch (cause) {
      // What was there is gone by now; the next look begins behind it.
      if (isOutOfRange(cause)) return null
      throw unreadable(topic, this.#environment.declaration.kafka.brokers, cause)
    }
  }

  async #reader(topic: string): Promise<PartitionReader> {
    const known = this.#readers.get(topic)
    if (known !== undefined) return known
    const reader = createPartitionReader(this.#environment.kafka, topic)
    this.#readers.set(topic, reader)
    await reader.connect()
    return reader
  }

  async #allLetters(signal: AbortSignal): Promise<readonly SubscriberLetters[]> {
    const { declaration, kafka } = this.#environment
    const rows: SubscriberLetters[] = []
    for (const { name, mappings } of this.#subscribers) {
      let followed = this.#letters.get(name)
      if (followed === undefined) {
        const tail = await tailTopic(kafka, declaration.kafka.brokers, deadLetterTopic(declaration.name, name))
        followed = { tail, counts: new OpenLetterCounts() }
        this.#letters.set(name, followed)
      }
      const { tail, counts } = followed
      await tail.poll((record) => counts.read(record), signal)
      const entities = mappings.map(({ entity }) => entity.name)
      rows.push({ subscriber: name, counts: counts.counts(entities), untracked: counts.untracked })
    }
    return rows
  }
}

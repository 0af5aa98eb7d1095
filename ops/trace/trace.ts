import { type GroupLag, openAdmin } from '../../connectors/kafka/admin.ts'
import type { LastPatch } from '../../consumers/ledger/entry.ts'
import { appliedVersion, type StoredEntry } from '../../consumers/ledger/stored-entry.ts'
import type { DeadLetterHead } from '../../schemas/dead-letter.ts'
import type { Change } from '../../schemas/delta.ts'
import type { EntityClass } from '../../schemas/entity.ts'
import type { TributaryError } from '../../schemas/errors.ts'
import { deadLetterTopic, entityTopic } from '../../schemas/topics.ts'
import type { Version } from '../../schemas/version.ts'
import { Questions } from '../cli/questions.ts'
import type { OpenLetter as CaptureLetter } from '../dead-letters/capture/open-letters.ts'
import { readLetters } from '../dead-letters/capture/read.ts'
import { LetterScan } from '../dead-letters/subscriber/scan.ts'
import type { DeclaredEntity } from '../declaration/declaration.ts'
import { decodeRecord, newestRecord } from '../preview/newest-record.ts'
import { groupsOf, openLedgerToLook } from '../process/delivery.ts'
import type { Environment } from '../process/environment.ts'
import { type Standing, standingOf } from './standing.ts'

/** One key's way from its source to every subscriber, as it is now. */
export interface Trace {
  readonly entity: DeclaredEntity
  readonly key: string
  readonly topic: string
  readonly partition: number
  /** null when the topic has no record of the key. */
  readonly published: Published | null
  /** The row that could not be encoded, without a good version since; null when there is none. */
  readonly captureLetter: CaptureLetter | null
  readonly subscribers: readonly SubscriberTrace[]
  /** Who did not answer. What they know is missing. */
  readonly failures: readonly TributaryError[]
}

export interface Published {
  readonly offset: bigint
  readonly publishedAtMs: number
  /** null when it cannot be read, as the registry is away. */
  readonly change: Change | null
}

export interface SubscriberTrace {
  readonly subscriber: string
  readonly class: EntityClass
  /** null when too little is known. */
  readonly standing: Standing | null
  /** What was last applied; null for nothing. */
  readonly version: Version | null
  readonly lastPatch: LastPatch | null
  readonly letter: DeadLetterHead | null
  /** Records of the partition that come before the newest of the key, while that one waits. */
  readonly recordsBefore: number | null
  /** Failures of the newest record, while it is parked. */
  readonly attempts: number
}

/**
 * Asks the topic, every subscriber's group, ledger and dead letters, and the source's dead letters. Marks and changes nothing.
 * @param onProgress called with how many records of the topic were read
 * @throws TributaryError when the topic itself cannot be read
 */
export async function traceKey(
  environment: Environment,
  entity: DeclaredEntity,
  key: string,
  onProgress: (records: number) => void,
): Promise<Trace> {
  const { declaration, kafka, registry } = environment
  const topic = entityTopic(declaration.name, entity.name)
  const { partition, record } = await newestRecord(kafka, declaration.kafka.brokers, topic, key, onProgress)
  const questions = new Questions()
  const { signal } = new AbortController()
  const filter = { entity: entity.name, key }
  const [change, captureLetters, subscribers] = await Promise.all([
    record === null ? undefined : questions.ask(decodeRecord(registry, entity.name, key, record)),
    questions.ask(readLetters(environment, entity.source, filter, signal)),
    traceSubscribers(environment, entity.name, key, partition, questions),
  ])
  const published = record && { offset: record.offset, publishedAtMs: record.timestampMs, change: change ?? null }
  return {
    entity,
    key,
    topic,
    partition,
    published,
    captureLetter: captureLetters?.list()[0] ?? null,
    subscribers: subscribers.map((known) => describe(known, published)),
    failures: questions.failures,
  }
}

interface KnownOfSubscriber {
  readonly subscriber: string
  readonly class: EntityClass
  /** Where the group stands in the key's partition; undefined when nobody said. */
  readonly lag: GroupLag | undefined
  readonly stored: StoredEntry | null | undefined
  readonly letter: DeadLetterHead | null | undefined
}

async function traceSubscribers(
  environment: Environment,
  entity: string,
  key: string,
  partition: number,
  questions: Questions,
): Promise<readonly KnownOfSubscriber[]> {
  const { declaration, kafka } = environment
  const { brokers } = declaration.kafka
  const takers = [...declaration.subscribers.values()].flatMap((subscriber) =>
    groupsOf(declaration, subscriber)
      .filter(({ routes }) => routes.some(({ mapping }) => mapping.entity.name === entity))
      .map(({ entityClass, groupId }) => ({ subscriber: subscriber.name, class: entityClass, groupId })),
  )
  const ledger = openLedgerToLook(environment)
  const admin = await questions.ask(openAdmin(kafka, brokers))
  try {
    const connected = await questions.ask(ledger.connect().then(() => true))
    return await Promise.all(
      takers.map(async ({ subscriber, class: entityClass, groupId }) => {
        const scope = { subscriber, entity, partition }
        const [lags, stored, letter] = await Promise.all([
          admin && questions.ask(admin.groupLag(groupId, [entityTopic(declaration.name, entity)])),
          connected === true ? questions.ask(ledger.peek(scope, key)) : undefined,
          questions.ask(letterOf(environment, subscriber, `${entity}/${key}`)),
        ])
        const lag = lags?.find((one) => one.partition === partition)
        return { subscriber, class: entityClass, lag, stored, letter }
      }),
    )
  } finally {
    ledger.close()
    await admin?.close()
  }
}

async function letterOf(
  { declaration, kafka }: Environment,
  subscriber: string,
  name: string,
): Promise<DeadLetterHead | null> {
  const topic = deadLetterTopic(declaration.name, subscriber)
  const scan = await LetterScan.open(kafka, declaration.kafka.brokers, topic, name)
  const anything = () => true
  for await (const letters of scan.read(anything, () => {}, new AbortController().signal))
    for (const { head } of letters) return head
  return null
}

function describe(known: KnownOfSubscriber, published: Published | null): SubscriberTrace {
  const { subscriber, class: entityClass, lag, stored, letter } = known
  const version = published?.change?.version
  const isKnown =
    lag !== undefined && stored !== undefined && letter !== undefined && (published === null || version !== undefined)
  const newest = published && version ? { version, offset: published.offset } : null
  const standing = isKnown ? standingOf({ published: newest, committed: lag.committed, stored, letter }) : null
  const applied = stored ? appliedVersion(stored) : null
  return {
    subscriber,
    class: entityClass,
    standing,
    version: applied,
    lastPatch: applied && stored!.lastPatch,
    letter: letter ?? null,
    recordsBefore: standing === 'waiting' ? Number(published!.offset - (lag!.committed ?? lag!.low)) : null,
    attempts: stored?.entry.attempts ?? 0,
  }
}

import { openAdmin } from '../../connectors/kafka/admin.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import type { LetterState } from '../../schemas/dead-letter.ts'
import type { ErrorCode } from '../../schemas/errors.ts'
import { captureDeadLetterTopic, deadLetterTopic, entityTopic } from '../../schemas/topics.ts'
import { Questions } from '../cli/questions.ts'
import { LetterScan } from '../dead-letters/subscriber/scan.ts'
import type { DeclaredEntity } from '../declaration/declaration.ts'
import type { DeclaredSubscriber } from '../declaration/subscribers/declared.ts'
import { openSource } from '../process/capture.ts'
import { groupsOf, openDestination, openLedgerToLook } from '../process/delivery.ts'
import type { Environment } from '../process/environment.ts'

/** What `tributary status` shows. */
export interface Status {
  readonly sources: readonly SourceRow[]
  readonly subscribers: readonly SubscriberRow[]
  /** What could not be asked, each once. */
  readonly failures: readonly StatusFailure[]
}

export interface StatusFailure {
  readonly code: ErrorCode
  readonly message: string
}

/** What could not be asked is null. */
export interface SourceRow {
  readonly source: string
  readonly active: boolean | null
  readonly slot: string | null
  readonly position: string | null
  readonly lagBytes: number | null
  /** Seconds since the oldest change that is not acknowledged; 0 when there is none, null when it is not known. */
  readonly lagSeconds: number | null
  /** Log that the source keeps because of us. */
  readonly retainedBytes?: number
  /** How much it keeps at most; null without a limit. */
  readonly retainedLimitBytes?: number | null
  /** Rows that could not be encoded, without a good version since. */
  readonly deadLetters: number | null
}

export interface SubscriberRow {
  readonly subscriber: string
  readonly entity: string
  readonly lagRecords: number | null
  /** How old the newest change is that was applied, while there is lag; 0 without. */
  readonly lagSeconds: number | null
  /** When something was last applied, ISO 8601; null when nothing was. */
  readonly lastAppliedAt: string | null
  /** Whether `lastAppliedAt` is known. */
  readonly ledgerAnswers: boolean
  /** Those that wait for a person or a later change. */
  readonly deadLetters: number | null
  /** Those that are tried again by themselves. */
  readonly retryingLetters: number | null
}

/**
 * Asks every source, every subscriber and its group, ledger and dead letters, and the registry, all at once. What does not answer
 * leaves gaps and is named; nothing is thrown for it.
 * @throws what is a defect
 */
export async function readStatus(environment: Environment): Promise<Status> {
  const { declaration } = environment
  const questions = new Questions()
  const ask: Ask = (question) => questions.ask(question)
  const subscribed = [...declaration.subscribers.values()]
  const [sources, subscribers] = await Promise.all([
    Promise.all([...declaration.sources.keys()].map((name) => sourceRow(environment, name, ask))),
    Promise.all(subscribed.map((subscriber) => subscriberRows(environment, subscriber, ask))),
    ...subscribed.map((subscriber) => ask(checkDestination(subscriber))),
    ask(environment.registry.ping()),
  ])
  return {
    sources,
    subscribers: subscribers.flat(),
    failures: questions.failures.map(({ code, message }) => ({ code, message })),
  }
}

type Ask = <T>(question: Promise<T>) => Promise<T | undefined>

async function checkDestination(subscriber: DeclaredSubscriber): Promise<void> {
  const destination = openDestination(subscriber)
  try {
    await destination.check()
  } finally {
    await destination.close()
  }
}

const UNKNOWN_SOURCE = { active: null, slot: null, position: null, lagBytes: null, lagSeconds: null }

async function sourceRow(environment: Environment, name: string, ask: Ask): Promise<SourceRow> {
  const source = openSource(environment, environment.declaration.sources.get(name)!)
  try {
    const topic = captureDeadLetterTopic(environment.declaration.name, name)
    const [status, dead] = await Promise.all([ask(source.status()), ask(deadLettersByEntity(environment, topic))])
    const deadLetters = dead === undefined ? null : [...dead.values()].reduce((sum, count) => sum + count, 0)
    return { source: name, ...(status ?? UNKNOWN_SOURCE), deadLetters }
  } finally {
    await source.close()
  }
}

async function subscriberRows(
  environment: Environment,
  subscriber: DeclaredSubscriber,
  ask: Ask,
): Promise<SubscriberRow[]> {
  const entities = subscriber.mappings.map(({ entity }) => entity as DeclaredEntity)
  const [lags, dead, applied] = await Promise.all([
    ask(lagByTopic(environment, subscriber)),
    ask(lettersByEntity(environment, deadLetterTopic(environment.declaration.name, subscriber.name))),
    ask(lastApplied(environment, subscriber.name, entities)),
  ])
  return entities.map(({ name }) => {
    const lagRecords = lags === undefined ? null : (lags.get(entityTopic(environment.declaration.name, name)) ?? 0)
    const last = applied?.get(name)
    return {
      subscriber: subscriber.name,
      entity: name,
      lagRecords,
      lagSeconds: lagSeconds(lagRecords, last?.committedAtSeconds),
      lastAppliedAt: last ? new Date(last.settledAtMs).toISOString() : null,
      ledgerAnswers: applied !== undefined,
      deadLetters: dead === undefined ? null : (dead.get(name)?.dead ?? 0),
      retryingLetters: dead === undefined ? null : (dead.get(name)?.retrying ?? 0),
    }
  })
}

function lagSeconds(lagRecords: number | null, committedAtSeconds: number | undefined): number | null {
  if (lagRecords === 0) return 0
  if (lagRecords === null || committedAtSeconds === undefined) return null
  return Math.max(0, Math.round(Date.now() / 1000 - committedAtSeconds))
}

async function lagByTopic(
  { declaration, kafka }: Environment,
  subscriber: DeclaredSubscriber,
): Promise<Map<string, number>> {
  const lags = new Map<string, number>()
  const admin = await openAdmin(kafka, declaration.kafka.brokers)
  try {
    for (const { groupId, routes } of groupsOf(declaration, subscriber)) {
      for (const { topic, committed, low, high } of await admin.groupLag(
        groupId,
        routes.map((route) => route.topic),
      ))
        lags.set(topic, (lags.get(topic) ?? 0) + Number(high - (committed ?? low)))
    }
  } finally {
    await admin.close()
  }
  return lags
}

/** How many rows of each entity wait on a source’s dead-letter topic for a value that can be encoded. */
export async function deadLettersByEntity(
  { declaration, kafka }: Environment,
  topic: string,
): Promise<Map<string, number>> {
  const keys = new Set<string>()
  await readTopic(kafka, declaration.kafka.brokers, topic, ({ key, value }) => {
    const name = key?.toString() ?? ''
    if (value === null) keys.delete(name)
    else keys.add(name)
  })
  const counts = new Map<string, number>()
  for (const key of keys) {
    const entity = key.slice(0, key.indexOf('/'))
    counts.set(entity, (counts.get(entity) ?? 0) + 1)
  }
  return counts
}

/** The open dead letters of a subscriber. */
async function lettersByEntity({ declaration, kafka }: Environment, topic: string) {
  const counts = new Map<string, Record<LetterState, number>>()
  const scan = await LetterScan.open(kafka, declaration.kafka.brokers, topic)
  const everything = () => true
  for await (const letters of scan.read(everything, () => {}, new AbortController().signal))
    for (const { head } of letters) {
      const count = counts.get(head.entity) ?? { dead: 0, retrying: 0 }
      count[head.state]++
      counts.set(head.entity, count)
    }
  return counts
}

async function lastApplied(environment: Environment, subscriber: string, entities: readonly DeclaredEntity[]) {
  const newest = new Map<string, { settledAtMs: number; committedAtSeconds: number }>()
  const ledger = openLedgerToLook(environment)
  try {
    await ledger.connect()
    for (const { name, partitions } of entities) {
      const scopes = Array.from({ length: partitions }, (_, partition) => ({ subscriber, entity: name, partition }))
      for (const progress of await Promise.all(scopes.map((scope) => ledger.progress(scope)))) {
        if (progress === null || progress.settledAtMs <= (newest.get(name)?.settledAtMs ?? 0)) continue
        newest.set(name, {
          settledAtMs: progress.settledAtMs,
          committedAtSeconds: Number(progress.committedAt) / 1e6,
        })
      }
    }
  } finally {
    ledger.close()
  }
  return newest
}

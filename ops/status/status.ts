import { openAdmin } from '../../connectors/kafka/admin.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { deadLetterTopic, entityTopic } from '../../schemas/topics.ts'
import type { DeclaredEntity, DeclaredSubscriber } from '../declaration/declaration.ts'
import { openSource } from '../process/capture.ts'
import { groupsOf, openLedger } from '../process/delivery.ts'
import type { Environment } from '../process/environment.ts'

/** What `tributary status` shows. A part that cannot be asked has an `error` instead. */
export interface Status {
  readonly sources: readonly SourceRow[]
  readonly subscribers: readonly SubscriberRow[]
}

export interface SourceRow {
  readonly source: string
  readonly active: boolean
  readonly slot: string
  readonly position: string | null
  readonly lagBytes: number | null
  /** Seconds since the oldest change that is not acknowledged; 0 when there is none, null when it is not known. */
  readonly lagSeconds: number | null
  readonly error: string | null
}

export interface SubscriberRow {
  readonly subscriber: string
  readonly entity: string
  readonly lagRecords: number | null
  /** How old the newest change is that was applied, while there is lag; 0 without. */
  readonly lagSeconds: number | null
  /** When something was last applied, ISO 8601; null when nothing was. */
  readonly lastAppliedAt: string | null
  readonly deadLetters: number | null
  readonly error: string | null
}

/** Asks every source and every subscriber's group, ledger and dead letters. */
export async function readStatus(environment: Environment): Promise<Status> {
  const { declaration } = environment
  const sources = await Promise.all([...declaration.sources.keys()].map((name) => sourceRow(environment, name)))
  const subscribers = await Promise.all(
    [...declaration.subscribers.values()].map((subscriber) => subscriberRows(environment, subscriber)),
  )
  return { sources, subscribers: subscribers.flat() }
}

async function sourceRow(environment: Environment, name: string): Promise<SourceRow> {
  const source = openSource(environment, environment.declaration.sources.get(name)!)
  try {
    const { active, slot, position, lagBytes, lagSeconds } = await source.status()
    return { source: name, active, slot, position, lagBytes, lagSeconds, error: null }
  } catch (error) {
    const nothing = { active: false, slot: 'unknown', position: null, lagBytes: null, lagSeconds: null }
    return { source: name, ...nothing, error: (error as Error).message }
  } finally {
    await source.close()
  }
}

async function subscriberRows(environment: Environment, subscriber: DeclaredSubscriber): Promise<SubscriberRow[]> {
  const entities = subscriber.mappings.map(({ entity }) => entity as DeclaredEntity)
  try {
    const lags = await lagByTopic(environment, subscriber)
    const dead = await deadLettersByEntity(environment, subscriber.name)
    const applied = await lastApplied(environment, subscriber.name, entities)
    return entities.map(({ name }) => {
      const lagRecords = lags.get(entityTopic(environment.declaration.name, name)) ?? 0
      const last = applied.get(name)
      return {
        subscriber: subscriber.name,
        entity: name,
        lagRecords,
        lagSeconds:
          lagRecords === 0 ? 0 : last ? Math.max(0, Math.round(Date.now() / 1000 - last.committedAtSeconds)) : null,
        lastAppliedAt: last ? new Date(last.settledAtMs).toISOString() : null,
        deadLetters: dead.get(name) ?? 0,
        error: null,
      }
    })
  } catch (error) {
    const nothing = { lagRecords: null, lagSeconds: null, lastAppliedAt: null, deadLetters: null }
    const failure = (error as Error).message
    return entities.map(({ name }) => ({ subscriber: subscriber.name, entity: name, ...nothing, error: failure }))
  }
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

async function deadLettersByEntity(
  { declaration, kafka }: Environment,
  subscriber: string,
): Promise<Map<string, number>> {
  const keys = new Set<string>()
  await readTopic(kafka, declaration.kafka.brokers, deadLetterTopic(declaration.name, subscriber), ({ key, value }) => {
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

async function lastApplied(environment: Environment, subscriber: string, entities: readonly DeclaredEntity[]) {
  const newest = new Map<string, { settledAtMs: number; committedAtSeconds: number }>()
  const ledger = openLedger(environment, { lateRequestMs: 0, comparesVersions: true })
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

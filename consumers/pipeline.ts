import type { BlobStore } from '../connectors/blobs/store.ts'
import type { Destination } from '../connectors/destination.ts'
import { type GroupLag, openAdmin } from '../connectors/kafka/admin.ts'
import { brokersOf, type Kafka, type Log } from '../connectors/kafka/client.ts'
import { createGroupConsumer, type GroupConsumer } from '../connectors/kafka/consumer.ts'
import { partitionHistory } from '../connectors/kafka/partition-history.ts'
import { createProducer } from '../connectors/kafka/producer.ts'
import { tailTopic } from '../connectors/kafka/tail-topic.ts'
import { pause } from '../connectors/pause.ts'
import { createDeltaDecoder } from '../schemas/codec.ts'
import { fateOf, TributaryError } from '../schemas/errors.ts'
import type { Registry } from '../schemas/registry.ts'
import { commandsTopic, deadLetterTopic } from '../schemas/topics.ts'
import { Engine } from './engine.ts'
import { ClaimFetcher } from './fetch-claims.ts'
import type { BreakerPolicy } from './health/breaker.ts'
import { Health } from './health/health.ts'
import type { Route } from './item.ts'
import type { Ledger } from './ledger/ledger.ts'
import { DeadLetterWriter } from './letters/dead-letter.ts'
import { LetterDesk } from './letters/letter-desk.ts'
import { Membership } from './membership.ts'
import type { DeliveryObserver } from './observer.ts'
import type { RetryPolicy } from './outcomes.ts'
import { resyncPartition } from './resync/resync.ts'
import { Sweeping } from './sweep/sweeping.ts'

export interface DeliveryOptions {
  readonly prefix: string
  readonly subscriber: string
  readonly groupId: string
  readonly kafka: Kafka
  readonly registry: Registry
  readonly routes: readonly Route[]
  readonly openDestination: () => Destination
  readonly openLedger: (destination: Destination) => Ledger
  /** Where large values are; null when no store is declared. */
  readonly blobs: BlobStore | null
  /** The most requests under way at once. */
  readonly concurrency: number
  readonly retry: RetryPolicy
  readonly breaker: BreakerPolicy
  /** The share of the destination's allowance that is left to others; see consumers/health/health.ts. */
  readonly reserve: number
  /** How long the topics keep a delete, at least: who was away for longer has missed some. */
  readonly deleteRetentionMs: number
  readonly observer: DeliveryObserver
  readonly log: Log
  /** Called when the group has given this member its partitions, and whenever it is cut off. */
  readonly onReady: (ready: boolean) => void
}

/** A member that does not answer for so long is replaced. The broker allows no less than 6 s. */
export const SESSION_TIMEOUT_MS = 10_000
const REBALANCE_TIMEOUT_MS = 30_000
const COMMIT_INTERVAL_MS = 500
const FULL_HEARTBEAT_MS = 1_000
/** A member that was not confirmed for so long has stalled silently, with partitions or while it joins: it is made anew. */
const STALLED_MS = 60_000
/** How long what is under way may take to end when the process is asked to stop. */
export const DRAIN_MS = 10_000
const BACKOFF_MS_MIN = 500
const BACKOFF_MS_MAX = 15_000

/**
 * Delivers to a subscriber until `signal` aborts, then drains within {@link DRAIN_MS}. After an error that may pass it starts again from
 * the committed offsets.
 * @throws TributaryError with the fate `stop`
 */
export async function runDelivery(options: DeliveryOptions, signal: AbortSignal): Promise<void> {
  let backoffMs = BACKOFF_MS_MIN
  while (!signal.aborted) {
    const startedAt = performance.now()
    try {
      await attempt(options, signal)
    } catch (error) {
      options.onReady(false)
      if (fateOf(error) !== 'retry') throw error
      if (signal.aborted) return
      if (performance.now() - startedAt > STALLED_MS) backoffMs = BACKOFF_MS_MIN
      const reason = (error as Error).message
      options.log('warn', `delivery to ${options.subscriber} stopped, trying again`, { reason, inMs: backoffMs })
      await pause(backoffMs, signal)
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MS_MAX)
    }
  }
}

async function attempt(options: DeliveryOptions, signal: AbortSignal): Promise<void> {
  const destination = options.openDestination()
  const ledger = options.openLedger(destination)
  let desk: LetterDesk | null = null
  const deadLetters = new DeadLetterWriter(
    () => createProducer(options.kafka),
    (recordKey) => desk?.outdate(recordKey),
  )
  const failed = new AbortController()
  const over = Promise.withResolvers<void>()
  const fail = (error: Error) => {
    failed.abort()
    over.reject(error)
  }
  over.promise.catch(() => {})
  let consumer: GroupConsumer | null = null
  try {
    await ledger.connect()
    await destination.check()
    // The first record needs it. Asked here, so that a process whose registry is away says so rather than wait in silence.
    await options.registry.ping()
    const { prefix, subscriber, observer, log } = options
    const membership = new Membership(SESSION_TIMEOUT_MS)
    const decoder = createDeltaDecoder(options.registry)
    const claims = new ClaimFetcher(options.blobs)
    const { breaker, reserve, retry, concurrency: requestsMax } = options
    const health = new Health({ breaker, reserve, requestsMax, budget: () => destination.budget?.() ?? null })
    const sides = { destination, ledger, decoder, deadLetters, claims, membership, health }
    const engine = new Engine({
      context: { prefix, subscriber, ...sides, retry, observer, log, signal: failed.signal },
      routes: options.routes,
      onFailure: fail,
    })
    const stopping = AbortSignal.any([signal, failed.signal])
    const history = partitionHistory(options.kafka)
    const tail = (topic: string) => () => tailTopic(options.kafka, brokersOf(options.kafka), topic)
    desk = new LetterDesk({
      prefix,
      subscriber,
      engine,
      ledger,
      deadLetters,
      openLettersTail: tail(deadLetterTopic(prefix, subscriber)),
      openCommandsTail: tail(commandsTopic(prefix, subscriber)),
      resync: (assignment, key, onProgress) =>
        resyncPartition({ engine, history }, assignment, key, onProgress, stopping),
      log,
    })
    const { routes, deleteRetentionMs } = options
    const groupLag = () => readGroupLag(options)
    const around = { engine, ledger, destination, membership, history, routes, groupLag, deleteRetentionMs, log }
    const sweeping = new Sweeping(around)
    await sweeping.prepare(subscriber)
    consumer = createConsumer(options, engine, membership, fail, stopping)
    watch(membership, failed.signal).catch(fail)
    signal.addEventListener('abort', () => over.resolve(), { once: true })
    if (signal.aborted) over.resolve()
    const starting = consumer.start()
    // Where the member is given up before, nobody waits for it any more.
    starting.catch(() => {})
    await Promise.race([starting, over.promise])
    const committing = commitRegularly(consumer, engine, options, stopping)
    const bringingBack = desk.run(stopping).catch(fail)
    const sweepingOn = sweeping.run(stopping).catch(fail)
    try {
      await over.promise
      await engine.drain(DRAIN_MS)
    } catch (error) {
      // First, so that no commit goes on waiting for an answer.
      await close(consumer, log)
      throw error
    } finally {
      failed.abort()
      membership.wake()
      await committing
      await bringingBack
      await sweepingOn
    }
    await commit(consumer, engine, options)
  } finally {
    failed.abort()
    options.onReady(false)
    if (consumer !== null) await close(consumer, options.log)
    await deadLetters.close().catch((error) => options.log('debug', 'closing the producer', { error: error.message }))
    ledger.close()
    await destination.close()
  }
}

/** @throws TributaryError when the group has not confirmed this member for too long */
async function watch(membership: Membership, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now()
  while (!signal.aborted) {
    const silentMs = Math.min(membership.silentMs, performance.now() - startedAt)
    if (silentMs > STALLED_MS) {
      const seconds = Math.round(silentMs / 1000)
      throw new TributaryError('kafka-unreachable', `The group has not confirmed this member for ${seconds} s.`)
    }
    await pause(FULL_HEARTBEAT_MS, signal)
  }
}

/** What cannot be closed in order is replaced by the group, and nothing of it goes on. */
async function close(consumer: GroupConsumer, log: Log): Promise<void> {
  await consumer.close().catch((error) => log('debug', 'closing the consumer', { error: error.message }))
}

async function readGroupLag({ kafka, groupId, routes }: DeliveryOptions): Promise<readonly GroupLag[]> {
  const admin = await openAdmin(kafka, brokersOf(kafka))
  try {
    return await admin.groupLag(
      groupId,
      routes.map(({ topic }) => topic),
    )
  } finally {
    await admin.close()
  }
}

function createConsumer(
  options: DeliveryOptions,
  engine: Engine,
  membership: Membership,
  fail: (error: Error) => void,
  stopping: AbortSignal,
): GroupConsumer {
  return createGroupConsumer(options.kafka, {
    groupId: options.groupId,
    topics: options.routes.map((route) => route.topic),
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
    async onRecords(records, high, heartbeat) {
      engine.ingest(records, high)
      while (!engine.hasRoom && !stopping.aborted) {
        await engine.changed(FULL_HEARTBEAT_MS)
        await heartbeat()
      }
    },
    onAssigned(partitions) {
      tellReleased(engine, options)
      engine.assigned(partitions)
      options.onReady(true)
    },
    onRevoked() {
      tellReleased(engine, options)
      engine.revoked()
      options.onReady(false)
    },
    onHeartbeat: () => membership.confirmed(),
    onCrash: fail,
  })
}

/** Its partitions are taken away: how far behind they are is for others to say. */
function tellReleased(engine: Engine, { observer }: DeliveryOptions): void {
  for (const { scope, partition } of engine.assignments) observer.lag(scope.entity, partition, null)
}

async function commitRegularly(
  consumer: GroupConsumer,
  engine: Engine,
  options: DeliveryOptions,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await pause(COMMIT_INTERVAL_MS, signal)
    await commit(consumer, engine, options)
  }
}

/** A commit that fails loses nothing: the records come again, and the ledger drops them. */
async function commit(consumer: GroupConsumer, engine: Engine, options: DeliveryOptions): Promise<void> {
  const { observer, routes } = options
  for (const { scope, partition, lag } of engine.assignments) observer.lag(scope.entity, partition, lag)
  observer.load(routes[0]!.mapping.entity.class, engine.load)
  const ready = engine.committable()
  try {
    await consumer.commit(
      ready.map(({ assignment, next }) => ({ topic: assignment.topic, partition: assignment.partition, next })),
    )
    for (const { assignment, next } of ready) assignment.committed = next
  } catch (error) {
    options.log('info', 'offsets were not committed; the records may come again', { reason: (error as Error).message })
  }
}

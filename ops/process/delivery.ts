import { createBusinessCentral } from '../../connectors/business-central/destination.ts'
import { createDataverse } from '../../connectors/dataverse/destination.ts'
import type { Destination } from '../../connectors/destination.ts'
import { createFinanceOperations } from '../../connectors/finance-operations/destination.ts'
import { createHttp } from '../../connectors/http/destination.ts'
import { createSalesforce } from '../../connectors/salesforce/destination.ts'
import { createShopify } from '../../connectors/shopify/destination.ts'
import { createWarehouse } from '../../connectors/warehouse/destination.ts'
import { createFingerprinter } from '../../consumers/fingerprint.ts'
import type { Route } from '../../consumers/item.ts'
import { Ledger, type Scope } from '../../consumers/ledger/ledger.ts'
import type { StoredEntry } from '../../consumers/ledger/stored-entry.ts'
import type { DeliveryObserver } from '../../consumers/observer.ts'
import { runDelivery as runGroup } from '../../consumers/pipeline.ts'
import { ENTITY_CLASSES, type EntityClass } from '../../schemas/entity.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { consumerGroup, entityTopic } from '../../schemas/topics.ts'
import type { Declaration } from '../declaration/declaration.ts'
import { loadTransforms } from '../declaration/subscribers/custom-transforms.ts'
import type { DeclaredSubscriber } from '../declaration/subscribers/declared.ts'
import { openBlobStore } from './blobs.ts'
import { type Environment, readDeclaredTls } from './environment.ts'

export interface DeliveryParts {
  readonly observer: DeliveryObserver
  readonly onReady: (entityClass: EntityClass) => (ready: boolean) => void
}

/** How long a change may be published again after it was first: what a deleted key's ledger entry has to outlive, beside the deletes. */
const REPUBLICATION_MS = 24 * 3_600_000

/**
 * Delivers to one subscriber until `signal` aborts: one consumer group for each class of its entities, so that they cannot hold up each
 * other.
 * @throws TributaryError with the fate `stop`; `declaration-invalid` for a subscriber that is not declared
 */
export async function runDelivery(
  environment: Environment,
  subscriberName: string,
  parts: DeliveryParts,
  signal: AbortSignal,
): Promise<void> {
  const { declaration, kafka, registry, log } = environment
  const subscriber = findSubscriber(declaration, subscriberName)
  await loadTransforms(declaration)
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const groups = groupsOf(declaration, subscriber).map(async ({ entityClass, groupId, routes }) => {
    try {
      await runGroup(
        {
          prefix: declaration.name,
          subscriber: subscriber.name,
          groupId,
          kafka,
          registry,
          routes,
          openDestination: () => openDestination(subscriber),
          openLedger: (destination) => openLedger(environment, destination),
          blobs: openBlobStore(declaration),
          concurrency: subscriber.concurrency,
          ...policiesOf(subscriber, entityClass),
          deleteRetentionMs: declaration.topics.deleteRetentionMs,
          observer: parts.observer,
          log,
          onReady: parts.onReady(entityClass),
        },
        either,
      )
    } catch (error) {
      stop.abort()
      throw error
    }
  })
  const results = await Promise.allSettled(groups)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

/** What a standard class leaves of an allowance to the critical class of the same subscriber. */
const RESERVE_FOR_CRITICAL = 0.2

function policiesOf({ retry, breaker, mappings }: DeclaredSubscriber, entityClass: EntityClass) {
  const sharesAllowance = mappings.some(({ entity }) => entity.class === 'critical')
  return {
    retry: { attemptsMax: retry.attempts, firstMs: retry.firstMs, deadAfterMs: retry.deadAfterMs },
    breaker: {
      failures: breaker.failures,
      probeMsMin: breaker.probeEveryMs.first,
      probeMsMax: breaker.probeEveryMs.most,
    },
    reserve: entityClass === 'standard' && sharesAllowance ? RESERVE_FOR_CRITICAL : 0,
  }
}

/** @throws TributaryError `declaration-invalid` */
export function findSubscriber(declaration: Declaration, name: string): DeclaredSubscriber {
  const subscriber = declaration.subscribers.get(name)
  if (subscriber) return subscriber
  const known = [...declaration.subscribers.keys()].join(', ')
  throw new TributaryError(
    'declaration-invalid',
    `There is no subscriber ${name} in ${declaration.file}; declared: ${known || 'none'}.`,
  )
}

/** The classes that a subscriber's entities have: one part and one consumer group each. */
export function classesOf(subscriber: DeclaredSubscriber): EntityClass[] {
  return ENTITY_CLASSES.filter((entityClass) => subscriber.mappings.some(({ entity }) => entity.class === entityClass))
}

export function groupsOf(
  declaration: Declaration,
  subscriber: DeclaredSubscriber,
): { entityClass: EntityClass; groupId: string; routes: readonly Route[] }[] {
  return classesOf(subscriber).map((entityClass) => {
    const mappings = subscriber.mappings.filter(({ entity }) => entity.class === entityClass)
    const routes = mappings.map((mapping) => ({
      topic: entityTopic(declaration.name, mapping.entity.name),
      mapping,
      fingerprinter: createFingerprinter(declaration.ledger.fingerprintKey, mapping.fields),
      partitions: declaration.entities.get(mapping.entity.name)!.partitions,
    }))
    return { entityClass, groupId: consumerGroup(declaration.name, subscriber.name, entityClass), routes }
  })
}

/** @throws TributaryError `declaration-invalid` for what its client cannot work with */
export function openDestination(subscriber: DeclaredSubscriber): Destination {
  const { name, mappings, concurrency: connections } = subscriber
  const common = { name, mappings, connections }
  switch (subscriber.type) {
    case 'warehouse':
      return createWarehouse({ ...common, ...subscriber.connection })
    case 'dataverse':
      return createDataverse({ ...common, ...subscriber.connection })
    case 'finance-operations':
      return createFinanceOperations({ ...common, ...subscriber.connection })
    case 'business-central':
      return createBusinessCentral({ ...common, ...subscriber.connection })
    case 'salesforce':
      return createSalesforce({ ...common, ...subscriber.connection })
    case 'shopify':
      return createShopify({ ...common, ...subscriber.connection })
    case 'http':
      return createHttp({ ...common, ...subscriber.connection })
  }
}

/** For a command that only looks: nothing is gated or settled through it. */
export function openLedgerToLook(environment: Environment): Ledger {
  return openLedger(environment, { lateRequestMs: 0, comparesVersions: true })
}

/**
 * What the ledger says of one key; nothing is marked. null when it has no entry.
 * @throws TributaryError `ledger-unreachable`, `ledger-unsuitable`
 */
export async function peekLedger(environment: Environment, scope: Scope, key: string): Promise<StoredEntry | null> {
  const ledger = openLedgerToLook(environment)
  try {
    await ledger.connect()
    return await ledger.peek(scope, key)
  } finally {
    ledger.close()
  }
}

export function openLedger(
  { declaration, log }: Environment,
  destination: Pick<Destination, 'lateRequestMs' | 'comparesVersions' | 'forgetsDeletes'>,
): Ledger {
  const { url, login, tls } = declaration.redis
  return new Ledger({
    url,
    login,
    tls: readDeclaredTls('redis', tls),
    prefix: declaration.name,
    lateRequestMs: destination.lateRequestMs,
    // Where deletes are forgotten, only time says that a lost create cannot arrive any more.
    comparesVersions: destination.comparesVersions && destination.forgetsDeletes !== true,
    deletedKeepMs: declaration.topics.deleteRetentionMs + REPUBLICATION_MS,
    log,
  })
}

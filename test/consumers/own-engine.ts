import { onTestFinished, vi } from 'vitest'
import type { BlobStore } from '../../connectors/blobs/store.ts'
import type { Destination, Outcome, Patch } from '../../connectors/destination.ts'
import type { Log } from '../../connectors/kafka/client.ts'
import type { OutgoingRecord } from '../../connectors/kafka/producer.ts'
import { Engine } from '../../consumers/engine.ts'
import { ClaimFetcher } from '../../consumers/fetch-claims.ts'
import { BREAKER, type BreakerPolicy } from '../../consumers/health/breaker.ts'
import { Health } from '../../consumers/health/health.ts'
import type { Ledger } from '../../consumers/ledger/ledger.ts'
import type { DeadLetterWriter } from '../../consumers/letters/dead-letter.ts'
import { Membership } from '../../consumers/membership.ts'
import { RETRY, type RetryPolicy } from '../../consumers/outcomes.ts'
import type { Change, Delta } from '../../schemas/delta.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { ROUTE, recordOf, SILENT_OBSERVER, sampleDecoder, TOPIC } from './fixtures.ts'
import { LedgerModel } from './ledger/ledger-model.ts'

export interface EngineChoice {
  readonly compares?: boolean
  readonly forgetsDeletes?: boolean
  readonly batchMax?: number
  readonly concurrency?: number
  readonly lateRequestMs?: number
  /** Where large values are; by default there is no store. */
  readonly blobs?: BlobStore
  readonly log?: Log
  readonly retry?: RetryPolicy
  readonly breaker?: BreakerPolicy
  /** What the destination answers for each request; by default everything is applied. May throw. */
  readonly answer?: (patches: readonly Patch[], request: number) => readonly Outcome[] | Promise<readonly Outcome[]>
}

export const APPLIED: Outcome = { kind: 'applied' }
export const UNKNOWN: Outcome = { kind: 'unknown', error: new Error('no answer') }

/** An engine with one partition, a ledger in memory, and doubles of all else that a test can take away. */
export function startEngine(choice: EngineChoice = {}) {
  const { compares = true, batchMax = 10, concurrency = 2, lateRequestMs = 0 } = choice
  const sent: (readonly Patch[])[] = []
  const letters: OutgoingRecord[] = []
  const failures: Error[] = []
  const model = new LedgerModel()
  const away = { ledger: false, registry: false, deadLetters: false, underWay: 0, mostUnderWay: 0, gated: 0, asked: 0 }
  const client = { connection: 1 }
  const reach = (
    what: 'ledger' | 'registry' | 'deadLetters',
    code: 'ledger-unreachable' | 'registry-unreachable' | 'publish-failed',
  ) => {
    if (away[what]) throw new TributaryError(code, `the ${what} is away`)
  }
  type Ask = (scope: never, token: string, requests: never) => unknown
  const asking =
    (ask: Ask): Ask =>
    async (scope, token, requests) => {
      if (away.ledger) client.connection++
      reach('ledger', 'ledger-unreachable')
      return ask(scope, token, requests)
    }
  const ledger = {
    get connection() {
      return client.connection
    },
    claim: asking((scope, token) => model.claim(scope, token, Date.now())),
    gate: asking(
      (scope, token, requests) => ++away.gated && model.gate(scope, token, lateRequestMs, requests, Date.now()),
    ),
    settle: asking((scope, token, requests) =>
      model.settle(scope, token, compares && !choice.forgetsDeletes, requests, Date.now()),
    ),
    owns: async (scope: never, token: string) => {
      reach('ledger', 'ledger-unreachable')
      away.asked++
      return model.owns(scope, token)
    },
    letterDiscarded: async (scope: never, key: string) => model.letterDiscarded(scope, key),
    hasFailing: async () => model.hasFailing(),
  }
  const answer = choice.answer ?? ((patches: readonly Patch[]) => patches.map(() => APPLIED))
  const destination: Destination = {
    comparesVersions: compares,
    ...(choice.forgetsDeletes && { forgetsDeletes: true }),
    lateRequestMs,
    batchMax,
    plan: async () => [],
    provision: async () => {},
    check: async () => {},
    close: async () => {},
    async apply(_mapping, patches) {
      sent.push(patches)
      away.mostUnderWay = Math.max(away.mostUnderWay, ++away.underWay)
      try {
        return await answer(patches, sent.length)
      } finally {
        away.underWay--
      }
    },
  }
  const decoder = sampleDecoder()
  const membership = new Membership(10_000)
  const stop = new AbortController()
  const hooks = { onWrite: (_recordKey: string) => {} }
  const deadLetters = {
    async write(records: readonly OutgoingRecord[]) {
      for (const { key } of records) hooks.onWrite(key)
      reach('deadLetters', 'publish-failed')
      letters.push(...records)
    },
  } as unknown as DeadLetterWriter
  const engine = new Engine({
    context: {
      prefix: 'shop',
      subscriber: 'warehouse',
      destination,
      ledger: ledger as unknown as Ledger,
      decoder: {
        decode: async (subject, key, value) => {
          reach('registry', 'registry-unreachable')
          return (await decoder.decode(subject, key, value)) as Delta
        },
      },
      deadLetters,
      claims: new ClaimFetcher(choice.blobs ?? null),
      membership,
      health: new Health({
        breaker: choice.breaker ?? BREAKER,
        requestsMax: concurrency,
        reserve: 0,
        budget: () => null,
      }),
      retry: choice.retry ?? RETRY,
      observer: SILENT_OBSERVER,
      log: choice.log ?? (() => {}),
      signal: stop.signal,
    },
    routes: [ROUTE],
    onFailure: (error) => failures.push(error),
  })
  onTestFinished(() => {
    stop.abort()
    membership.wake()
  })
  let offset = 0
  const assign = () => {
    membership.confirmed()
    engine.assigned([{ topic: TOPIC, partition: 0 }])
  }
  assign()
  return {
    engine,
    sent,
    letters,
    deadLetters,
    ledger: ledger as unknown as Ledger,
    stop,
    set onWrite(hook: (recordKey: string) => void) {
      hooks.onWrite = hook
    },
    failures,
    model,
    away,
    membership,
    assign,
    /** Hands records to the engine, each at the next offset. */
    ingest(...changes: Change[]) {
      engine.ingest(
        changes.map((change) => recordOf(change, offset++)),
        BigInt(offset),
      )
    },
    /** The offset that may be committed, as a number. */
    get committable() {
      const [ready] = engine.committable()
      return ready === undefined ? null : Number(ready.next)
    },
    async until(condition: () => boolean, what: string) {
      await vi.waitUntil(condition, { timeout: 45_000, interval: 5 }).catch((cause) => {
        throw new Error(`waited in vain: ${what}`, { cause })
      })
    },
    /** Another owner takes the scope, as after a rebalance of which this one has not heard. */
    takeOver() {
      model.claim({ subscriber: 'warehouse', entity: 'customer', partition: 0 }, 'f'.repeat(16), Date.now())
    },
  }
}

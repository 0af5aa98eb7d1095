import { setTimeout as wait } from 'node:timers/promises'
import type { Destination } from '../../../connectors/destination.ts'
import { Engine } from '../../../consumers/engine.ts'
import { ClaimFetcher } from '../../../consumers/fetch-claims.ts'
import { BREAKER } from '../../../consumers/health/breaker.ts'
import { Health } from '../../../consumers/health/health.ts'
import type { Ledger } from '../../../consumers/ledger/ledger.ts'
import type { DeadLetterWriter } from '../../../consumers/letters/dead-letter.ts'
import { Membership } from '../../../consumers/membership.ts'
import type { DeliveryObserver } from '../../../consumers/observer.ts'
import { RETRY } from '../../../consumers/outcomes.ts'
import { changeOf, knowingDecoder, PARTITIONS, ROUTE } from './records.ts'

const HEARTBEAT_MS = 1_000
const LOOK_MS = 100

/** An engine, and one record of each key always waiting behind the one under way, so that nothing coalesces and no lane runs dry. */
export interface FedEngine {
  /** Feeds it for `ms`, lets what it has begun end, and tells how many records were settled and how long that took. */
  run(ms: number): Promise<{ readonly records: number; readonly ms: number }>
  close(): void
}

export interface FedEngineOptions {
  readonly subscriber: string
  readonly keys: number
  /** The most requests under way, as a subscriber declares it. */
  readonly concurrency: number
  readonly ledger: Ledger
  readonly destination: Destination
}

/** Everything is what runs in production but Kafka, from whose place records come, and the registry, whose one schema is known. */
export function startFedEngine({ subscriber, keys, concurrency, ledger, destination }: FedEngineOptions): FedEngine {
  const stop = new AbortController()
  const membership = new Membership(HEARTBEAT_MS * 10)
  const heartbeat = setInterval(() => membership.confirmed(), HEARTBEAT_MS)
  membership.confirmed()
  const offsets = Array.from({ length: PARTITIONS }, () => 0)
  let position = 0
  let applied = 0
  let isFeeding = false
  let failure: Error | null = null

  const feed = (numbers: readonly number[], partition: number) => {
    const records = numbers.map((number) => changeOf(String(number), ++position, partition, offsets[partition]!++))
    engine.ingest(records, BigInt(offsets[partition]!))
  }
  const engine = new Engine({
    context: {
      prefix: 'bench',
      subscriber,
      destination,
      ledger,
      decoder: knowingDecoder(),
      deadLetters: REFUSES_LETTERS,
      claims: new ClaimFetcher(null),
      membership,
      health: new Health({ breaker: BREAKER, requestsMax: concurrency, reserve: 0, budget: () => null }),
      retry: RETRY,
      observer: {
        ...SILENT,
        applied({ key }) {
          applied++
          if (isFeeding) feed([Number(key)], Number(key) % PARTITIONS)
        },
      },
      log: (level, message) => {
        if (level !== 'debug') failure ??= new Error(`${level}: ${message}`)
      },
      signal: stop.signal,
    },
    routes: [ROUTE],
    onFailure: (error) => {
      failure = error
    },
  })
  engine.assigned(offsets.map((_, partition) => ({ topic: ROUTE.topic, partition })))
  const isIdle = () => [...engine.assignments].every(({ offsets: { size } }) => size === 0)

  return {
    async run(ms) {
      const before = applied
      const numbers = Array.from({ length: keys }, (_, number) => number)
      isFeeding = true
      const startedAt = performance.now()
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const ours = numbers.filter((number) => number % PARTITIONS === partition)
        if (ours.length > 0) feed(ours, partition)
      }
      await wait(ms)
      isFeeding = false
      while (failure === null && !isIdle()) await engine.changed(LOOK_MS)
      if (failure !== null) throw failure
      return { records: applied - before, ms: performance.now() - startedAt }
    },
    close() {
      clearInterval(heartbeat)
      stop.abort()
      membership.wake()
    },
  }
}

const REFUSES_LETTERS = {
  write: () => Promise.reject(new Error('a destination that takes everything leaves no dead letter')),
} as unknown as DeadLetterWriter

const nothing = () => {}
const SILENT: DeliveryObserver = {
  received: nothing,
  coalesced: nothing,
  gated: nothing,
  applied: nothing,
  answered: nothing,
  deadLettered: nothing,
  retried: nothing,
  breaker: nothing,
  lag: nothing,
  load: nothing,
  batch: nothing,
}

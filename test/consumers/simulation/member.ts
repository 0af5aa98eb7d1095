import type { Destination, Outcome, Patch } from '../../../connectors/destination.ts'
import type { OutgoingRecord } from '../../../connectors/kafka/producer.ts'
import type { Assignment } from '../../../consumers/assignment.ts'
import { Engine } from '../../../consumers/engine.ts'
import { ClaimFetcher } from '../../../consumers/fetch-claims.ts'
import { BREAKER } from '../../../consumers/health/breaker.ts'
import { Health } from '../../../consumers/health/health.ts'
import type { Waiting } from '../../../consumers/lanes/lanes.ts'
import type { GateRequest, Ledger, Scope, SettleRequest } from '../../../consumers/ledger/ledger.ts'
import type { DeadLetterWriter } from '../../../consumers/letters/dead-letter.ts'
import { Membership } from '../../../consumers/membership.ts'
import type { RetryPolicy } from '../../../consumers/outcomes.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import { compareVersions } from '../../../schemas/version.ts'
import { ROUTE, SILENT_OBSERVER, sampleDecoder, TOPIC } from '../fixtures.ts'
import type { Flaws } from './flaws.ts'
import type { Compares, Condition } from './subscriber.ts'

export const SESSION_MS = 2_000
export const LATE_MS = 1_000
/** Few and short, so that a schedule sees a record parked, given up, tried on and dead. */
const RETRY: RetryPolicy = { attemptsMax: 2, firstMs: 100, deadAfterMs: 3_000 }

/** A call of a member to the ledger or to Kafka that has not been carried out yet. */
export interface Call {
  readonly member: Member
  carryOut(): unknown
  resolve(result: unknown): void
  reject(error: Error): void
}

export interface Request {
  readonly member: Member
  readonly patches: readonly Patch[]
  /** What each goes by. */
  readonly conditions: readonly Condition[]
  readonly sentAtMs: number
  answer(outcomes: readonly Outcome[]): void
  refuse(error: Error): void
}

export interface Surroundings {
  readonly compares: Compares
  readonly flaws: Flaws
  conditionOf(patch: Patch): Condition
  hasFailing(): boolean
  call(call: Call): void
  request(request: Request): void
  gate(scope: Scope, token: string, requests: readonly GateRequest[]): unknown
  settle(scope: Scope, token: string, requests: readonly SettleRequest[]): unknown
  claim(scope: Scope, token: string): unknown
  owns(scope: Scope, token: string): unknown
  deadLetters(records: readonly OutgoingRecord[]): void
  failed(error: Error): void
}

const decoder = sampleDecoder()

/** One process that delivers: the real engine, and connections to everything else that the schedule may delay, cut or freeze. */
export class Member {
  readonly engine: Engine
  readonly membership: Membership
  /** The next offset it fetches. */
  position = 0n
  connection = 1
  /** Dead letters that came back, and are not settled. A new assignment knows nothing of them. */
  comingBack = new Set<object>()
  frozen = false
  dead = false
  readonly #surroundings: Surroundings
  readonly #stop = new AbortController()
  /** For `commitsPastHoles`. */
  highestFinished: bigint | null = null

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
    // Frozen, nothing of it runs: what its timers run here meanwhile sees what it would see when it goes on.
    this.membership = new Membership(surroundings.flaws.sendsOutOfTouch ? Number.POSITIVE_INFINITY : SESSION_MS, () =>
      this.frozen ? Number.POSITIVE_INFINITY : performance.now(),
    )
    const deadLetters = {
      write: (records: readonly OutgoingRecord[]) => this.#call(() => surroundings.deadLetters(records)),
    }
    this.engine = new Engine({
      context: {
        prefix: 'shop',
        subscriber: 'warehouse',
        destination: this.#destination(),
        ledger: this.#ledger(),
        decoder,
        deadLetters: deadLetters as unknown as DeadLetterWriter,
        claims: new ClaimFetcher(null),
        membership: this.membership,
        health: new Health({ breaker: BREAKER, requestsMax: 2, reserve: 0, budget: () => null }),
        retry: RETRY,
        observer: SILENT_OBSERVER,
        log: () => {},
        signal: this.#stop.signal,
      },
      routes: [ROUTE],
      onFailure: (error) => surroundings.failed(error),
    })
  }

  join(committed: bigint): void {
    this.membership.confirmed()
    this.engine.assigned([{ topic: TOPIC, partition: 0 }])
    this.position = committed
    this.comingBack = new Set()
    this.highestFinished = null
    for (const assignment of this.engine.assignments) this.#spoil(assignment)
  }

  /** The process ends at once: nothing that it asked for reaches it any more. */
  die(): void {
    this.dead = true
    this.#stop.abort()
    this.membership.wake()
  }

  #destination(): Destination {
    const { compares, flaws } = this.#surroundings
    const none = async () => {}
    return {
      comparesVersions: compares !== 'nothing' || flaws.neverHolds === true,
      forgetsDeletes: compares === 'tags' && flaws.deletesCountAsKept !== true,
      lateRequestMs: LATE_MS,
      batchMax: 3,
      plan: async () => [],
      provision: none,
      check: none,
      close: none,
      apply: (_mapping, patches) =>
        new Promise((answer, refuse) => {
          const conditions = patches.map((patch) => this.#surroundings.conditionOf(patch))
          const request = { member: this, patches, conditions, sentAtMs: Date.now(), answer, refuse }
          if (!this.dead) this.#surroundings.request(request)
        }),
    }
  }

  #ledger(): Ledger {
    const { gate, settle, claim, owns, hasFailing } = this.#surroundings
    const member = this
    const ledger = {
      get connection() {
        return member.connection
      },
      claim: (scope: Scope, token: string) => this.#call(() => claim(scope, token)),
      gate: (scope: Scope, token: string, requests: readonly GateRequest[]) =>
        this.#call(() => gate(scope, token, requests)),
      settle: (scope: Scope, token: string, requests: readonly SettleRequest[]) =>
        this.#call(() => settle(scope, token, requests)),
      owns: (scope: Scope, token: string) => this.#call(() => owns(scope, token)),
      hasFailing: async () => hasFailing(),
    }
    return ledger as unknown as Ledger
  }

  #call(carryOut: () => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!this.dead) this.#surroundings.call({ member: this, carryOut, resolve, reject })
    })
  }

  #spoil({ lanes, offsets }: Assignment): void {
    if (this.#surroundings.flaws.commitsPastHoles) {
      const tickets = new Map<number, bigint>()
      const { add, finish } = { add: offsets.add.bind(offsets), finish: offsets.finish.bind(offsets) }
      offsets.add = (offset) => {
        const ticket = add(offset)
        tickets.set(ticket, offset)
        return ticket
      }
      offsets.finish = (ticket) => {
        const next = tickets.get(ticket)! + 1n
        if (this.highestFinished === null || next > this.highestFinished) this.highestFinished = next
        finish(ticket)
      }
    }
    if (this.#surroundings.flaws.parkedGoesLast) {
      const { putBack, release } = { putBack: lanes.putBack.bind(lanes), release: lanes.release.bind(lanes) }
      const parked = new Map<string, Waiting>()
      lanes.putBack = (record, dueAt) => {
        if (lanes.waiting === 0) return putBack(record, dueAt)
        parked.set(record.key, record)
        release(record.key)
      }
      lanes.release = (key) => {
        release(key)
        const record = parked.get(key)
        if (record && parked.delete(key)) lanes.add(record)
      }
    }
    if (this.#surroundings.flaws.parkedIsFinished) {
      const putBack = lanes.putBack.bind(lanes)
      lanes.putBack = (record, dueAt) => {
        for (const ticket of record.tickets) offsets.finish(ticket)
        putBack({ ...record, tickets: [] }, dueAt)
      }
    }
    if (this.#surroundings.flaws.coalescesByArrival) {
      const { add, take } = { add: lanes.add.bind(lanes), take: lanes.take.bind(lanes) }
      const came = new Map<string, Waiting>()
      lanes.add = (record) => {
        const coalesced = add(record)
        if (coalesced || record.value !== null) came.set(record.key, { ...record, tickets: [] })
        return coalesced
      }
      lanes.take = (max, already) =>
        take(max, already).map((record) => {
          const last = came.get(record.key)
          if (record.tickets.length < 2 || !last || compareVersions(last.version, record.version) === 0) return record
          return { ...last, tickets: record.tickets }
        })
    }
  }
}

export function cutOff(): TributaryError {
  return new TributaryError('ledger-unreachable', 'the connection was cut')
}

import type { Outcome } from '../connectors/destination.ts'
import type { IncomingRecord, TopicPartition } from '../connectors/kafka/consumer.ts'
import { isFence } from '../schemas/fence.ts'
import { Assignment } from './assignment.ts'
import { readHead } from './decode.ts'
import { deliver } from './deliver.ts'
import { Breaker, type BreakerState } from './health/breaker.ts'
import type { DeliveryContext, Item, Route } from './item.ts'
import type { Waiting } from './lanes/lanes.ts'
import { ownBytes } from './lanes/own-bytes.ts'
import { NO_TRIALS } from './lanes/trials.ts'
import { deadLetterRecord, unreadableLetter } from './letters/dead-letter.ts'
import type { MemberLoad } from './observer.ts'

/** What one member holds in memory, at most: unfinished records, and bytes of the values that wait or are under way. */
export const RECORDS_MAX = 100_000
export const BYTES_MAX = 24 * 1024 * 1024

/**
 * Batches of an entity that are not full start at least so far apart: at some hundred changes a second each would else be a batch of its own,
 * and with several subscribers on a machine that is what keeps it busy. One that comes alone goes at once.
 */
export const BATCH_INTERVAL_MS = 5
/** Among how many keys a probe is chosen. */
const PROBED_KEYS_MAX = 1_000
/** How soon a record is tried again that could not be asked for, as its owner was not the owner any more. */
const NOT_ASKED_MS = 100

interface Taken {
  readonly assignment: Assignment
  readonly record: Waiting
}

/** Our own side (ledger, registry, Kafka) away: asked again after a tenth of a second, then ever more seldom. */
const TROUBLE = { failures: 1, probeMsMin: 100, probeMsMax: 10_000 }

export interface EngineOptions {
  /** All but what the engine says of itself. */
  readonly context: Omit<DeliveryContext, 'isBehind'>
  readonly routes: readonly Route[]
  /** Called once when delivery cannot go on: a defect, or a declaration that does not fit. */
  readonly onFailure: (error: Error) => void
}

/**
 * One member's deliveries: takes records of the partitions it was assigned into lanes, and keeps as many batches under way as the
 * destination takes. A batch takes whatever is ready, so it is one record when all is quiet and grows under load. What fails goes back
 * to its lane, and only its key waits; when the destination is down nothing is started but a probe.
 */
export class Engine {
  readonly #context: DeliveryContext
  readonly #routes: Map<string, Route>
  readonly #trouble = new Breaker(TROUBLE)
  readonly #onFailure: (error: Error) => void
  readonly #assignments = new Map<string, Assignment>()
  /** When the latest batch of each route was started that took all there was. */
  readonly #startedAt = new Map<Route, number>()
  #underWay = 0
  #underWayBytes = 0
  #nextRoute = 0
  #nextFirst = 0
  #pumping = false
  #stopping = false
  readonly #waiters = new Set<() => void>()
  #timer: { readonly at: number; readonly handle: NodeJS.Timeout } | null = null
  #breaker: BreakerState = 'closed'

  constructor({ context, routes, onFailure }: EngineOptions) {
    this.#routes = new Map(routes.map((route) => [route.topic, route]))
    this.#context = { ...context, isBehind: (target, asking) => this.#isBehind(target, asking) }
    this.#onFailure = onFailure
    context.signal.addEventListener('abort', () => this.#stopTimer(), { once: true })
  }

  /** The group gave this member these partitions; all former ones are over, even those that came back. */
  assigned(partitions: readonly TopicPartition[]): void {
    this.revoked()
    for (const { topic, partition } of partitions) {
      const route = this.#routes.get(topic)
      if (!route) continue
      const entity = route.mapping.entity.name
      const scope = { subscriber: this.#context.subscriber, entity, partition }
      this.#assignments.set(`${topic}/${partition}`, new Assignment(topic, partition, scope))
    }
  }

  revoked(): void {
    for (const assignment of this.#assignments.values()) assignment.active = false
    this.#assignments.clear()
    this.#context.membership.wake()
    this.#wake()
  }

  /** Takes records of one partition into its lanes, in order. */
  ingest(records: readonly IncomingRecord[], high: bigint): void {
    const first = records[0]
    const assignment = first && this.#assignments.get(`${first.topic}/${first.partition}`)
    if (!assignment || this.#stopping) return
    const entity = assignment.scope.entity
    let coalesced = 0
    for (const record of records) {
      const ticket = assignment.offsets.add(record.offset)
      if (isFence(record)) {
        assignment.offsets.finish(ticket)
        continue
      }
      const head = readHead(record)
      if (head === null) {
        void this.#giveUp(assignment, record, ticket)
        continue
      }
      const { value, headers } = ownBytes(record)
      const { offset } = record
      const waiting = { ...head, value, headers, offset, tickets: [ticket], trials: NO_TRIALS, replays: null }
      if (assignment.lanes.add({ ...waiting, onSettled: NOBODY })) coalesced++
    }
    assignment.high = high
    this.#context.observer.received(entity, records.length)
    if (coalesced > 0) this.#context.observer.coalesced(entity, coalesced)
    this.#schedule()
  }

  /**
   * Takes a record in that does not come from its topic's reading: a dead letter that is tried again, a resync. It passes the gate as any
   * other does, so it changes nothing that is newer.
   */
  offer(assignment: Assignment, record: Waiting): void {
    if (!assignment.active || this.#stopping) return
    assignment.lanes.add(record)
    this.#schedule()
  }

  /** Whether there is room for more records; see {@link changed}. */
  get hasRoom(): boolean {
    let records = 0
    let bytes = this.#underWayBytes
    for (const { offsets, lanes } of this.#assignments.values()) {
      records += offsets.size
      bytes += lanes.bytes
    }
    return records < RECORDS_MAX && bytes < BYTES_MAX
  }

  /** Resolves when something was finished, or after `ms`. */
  changed(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#waiters.delete(done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      this.#waiters.add(done)
    })
  }

  /** The offsets that may be committed and have not been yet. */
  committable(): { assignment: Assignment; next: bigint }[] {
    const ready = []
    for (const assignment of this.#assignments.values()) {
      const next = assignment.offsets.committable
      if (next !== null && next !== assignment.committed) ready.push({ assignment, next })
    }
    return ready
  }

  /** The partitions held now. */
  get assignments(): Iterable<Assignment> {
    return this.#assignments.values()
  }

  /** What is under way now. */
  get load(): MemberLoad {
    const parkedKeys = new Map([...this.#routes.values()].map(({ mapping }) => [mapping.entity.name, 0]))
    for (const { scope, lanes } of this.#assignments.values())
      parkedKeys.set(scope.entity, parkedKeys.get(scope.entity)! + lanes.delayedKeys)
    return { requests: this.#underWay, requestsMax: this.#context.health.limit, parkedKeys }
  }

  /** The assignment of a partition that is held now. */
  assignmentOf(entity: string, partition: number): Assignment | undefined {
    for (const assignment of this.#assignments.values())
      if (assignment.scope.entity === entity && assignment.partition === partition) return assignment
    return undefined
  }

  /** Starts nothing new and waits until nothing is under way, or for `ms`. */
  async drain(ms: number): Promise<void> {
    this.#stopping = true
    const deadline = performance.now() + ms
    while (this.#underWay > 0 && performance.now() < deadline) await this.changed(deadline - performance.now())
  }

  #schedule(): void {
    if (this.#pumping) return
    this.#pumping = true
    // Later in this turn of the loop: the records of several partitions that were fetched together make one batch.
    setImmediate(() => {
      this.#pumping = false
      this.#pump()
    })
  }

  #pump(): void {
    const routes = [...this.#routes.values()]
    const { health, signal } = this.#context
    if (signal.aborted) return
    const now = performance.now()
    for (const { lanes } of this.#assignments.values()) lanes.wake(now)
    let idle = 0
    while (!this.#stopping && idle < routes.length && this.#mayStart(now)) {
      const route = routes[this.#nextRoute++ % routes.length]!
      const taken = this.#maySoonBeMore(route, now) ? [] : this.#take(route)
      if (taken.length === 0) {
        idle++
        continue
      }
      idle = 0
      // What was left behind may start at once: the batch was as large as it may be.
      if (this.#readyKeys(route) === 0) this.#startedAt.set(route, now)
      this.#underWay++
      health.begin()
      this.#trouble.begin()
      void this.#run(route, taken)
    }
    this.#wakeLater(now)
  }

  #mayStart(now: number): boolean {
    const { health } = this.#context
    if (this.#trouble.state !== 'closed' && this.#underWay > 0) return false
    return this.#underWay < health.limit && health.waitMs(now) === 0 && this.#trouble.waitMs(now) === 0
  }

  /** Whether a batch would not be full, and another one was started just before. */
  #maySoonBeMore(route: Route, now: number): boolean {
    if (now >= this.#nextStartAt(route)) return false
    const { destination, health } = this.#context
    return this.#readyKeys(route) < Math.min(destination.batchMax, health.recordsMax)
  }

  #readyKeys(route: Route): number {
    let ready = 0
    for (const { topic, lanes } of this.#assignments.values()) if (topic === route.topic) ready += lanes.readyKeys
    return ready
  }

  #nextStartAt(route: Route): number {
    return (this.#startedAt.get(route) ?? Number.NEGATIVE_INFINITY) + BATCH_INTERVAL_MS
  }

  /** Sets the one timer for what has to happen next by itself: a record's time has come, or nothing may start until then. */
  #wakeLater(now: number): void {
    let at = Number.POSITIVE_INFINITY
    let isReady = false
    for (const { topic, lanes } of this.#assignments.values()) {
      at = Math.min(at, lanes.nextDueAt)
      if (lanes.readyKeys === 0) continue
      isReady = true
      const nextStartAt = this.#nextStartAt(this.#routes.get(topic)!)
      if (nextStartAt > now) at = Math.min(at, nextStartAt)
    }
    const wait = Math.max(this.#context.health.waitMs(now), this.#trouble.waitMs(now))
    if (isReady && wait > 0) at = Math.min(at, now + wait)
    if (this.#timer !== null && this.#timer.at <= at) return
    this.#stopTimer()
    if (at === Number.POSITIVE_INFINITY || this.#stopping || this.#context.signal.aborted) return
    const handle = setTimeout(
      () => {
        this.#timer = null
        this.#pump()
      },
      Math.max(1, at - now),
    )
    this.#timer = { at, handle }
  }

  #stopTimer(): void {
    clearTimeout(this.#timer?.handle)
    this.#timer = null
  }

  #take(route: Route): Taken[] {
    const taken: Taken[] = []
    const { destination, health } = this.#context
    let most = Math.min(destination.batchMax, health.recordsMax)
    const assignments = [...this.#assignments.values()].filter(({ topic }) => topic === route.topic)
    // Each partition comes first in its turn.
    const first = this.#nextFirst++
    for (let index = 0; index < assignments.length && taken.length < most; index++) {
      const assignment = assignments[(first + index) % assignments.length]!
      const { lanes } = assignment
      // A probe is any key, not the one at the head, which may be what makes the destination fail.
      const skip =
        health.state === 'closed' ? 0 : Math.floor(Math.random() * Math.min(lanes.readyKeys, PROBED_KEYS_MAX))
      for (const record of lanes.take(most - taken.length, taken.length, skip)) {
        taken.push({ assignment, record })
        most = Math.min(most, record.trials.together)
      }
    }
    return taken
  }

  async #run(route: Route, taken: readonly Taken[]): Promise<void> {
    const { health, subscriber, log, observer } = this.#context
    const bytes = taken.reduce((sum, { record }) => sum + (record.value?.length ?? 0), 0)
    this.#underWayBytes += bytes
    try {
      const { items, trouble } = await deliver(this.#context, route, taken, ({ assignment, record, outcome }, how) => {
        for (const ticket of record.tickets) assignment.offsets.finish(ticket)
        assignment.lanes.release(record.key)
        for (const tell of record.onSettled) tell(how, how === 'given-up' ? codeOf(outcome) : null)
      })
      const now = performance.now()
      const told = items.flatMap(({ asked, outcome }) => (asked && outcome ? [outcome] : []))
      health.ended(route.mapping.entity.name, told, this.#underWay, now, Math.random())
      if (trouble === null) this.#trouble.succeeded()
      else {
        this.#trouble.failed(now, Math.random())
        log('warn', `delivery to ${subscriber} waits`, { reason: trouble.message })
      }
      if (health.state !== this.#breaker) {
        this.#breaker = health.state
        observer.breaker(route.mapping.entity.class, health.state)
      }
      for (const item of items) {
        const { assignment, record, done, token, again } = item
        if (done) continue
        const inMs = again?.inMs ?? (token === null && trouble === null ? NOT_ASKED_MS : 0)
        // What took effect and was not settled is not what the ledger says: its mark, which is our own, would not tell.
        const trials =
          again?.trials ?? (mayHaveTakenEffect(item) ? { ...record.trials, uncertain: true } : record.trials)
        assignment.lanes.putBack({ ...record, trials }, inMs === 0 ? 0 : now + inMs)
      }
    } catch (error) {
      this.#onFailure(error as Error)
    } finally {
      this.#underWay--
      this.#underWayBytes -= bytes
      this.#wake()
      this.#schedule()
    }
  }

  /** Whether a target has records of this member that wait, or keys of anyone that fail or are dead. '' and unknown ones are not behind. */
  async #isBehind(target: string, asking: string): Promise<boolean> {
    const route = [...this.#routes.values()].find(({ mapping }) => mapping.target === target)
    // One that waits for another of its own kind is itself what is unfinished there.
    if (route === undefined || route.mapping.entity.name === asking) return false
    for (const { topic, offsets, high } of this.#assignments.values())
      if (topic === route.topic && (offsets.size > 0 || (offsets.committable ?? high) < high)) return true
    const { ledger, subscriber } = this.#context
    return await ledger.hasFailing(subscriber, route.mapping.entity.name, route.partitions)
  }

  /** A record without a readable key or version has no lane: it becomes a dead letter by itself. */
  async #giveUp(assignment: Assignment, record: IncomingRecord, ticket: number): Promise<void> {
    const { prefix, subscriber, deadLetters, observer, signal, log } = this.#context
    const { entity } = assignment.scope
    const letter = deadLetterRecord(prefix, subscriber, unreadableLetter(entity, record, Date.now()))
    while (assignment.active && !signal.aborted) {
      try {
        await deadLetters.write([letter])
        observer.deadLettered(entity, 'record-corrupt')
        assignment.offsets.finish(ticket)
        return this.#wake()
      } catch (error) {
        log('warn', 'a dead letter could not be written, trying again', { reason: (error as Error).message })
        await this.changed(DEAD_LETTER_RETRY_MS)
      }
    }
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake()
  }
}

const DEAD_LETTER_RETRY_MS = 1_000
const NOBODY: Waiting['onSettled'] = []

/** Whether a request may have changed something of which the ledger knows nothing. */
function mayHaveTakenEffect({ asked, outcome }: Item): boolean {
  return asked && (outcome?.kind === 'applied' || outcome?.kind === 'unknown')
}

/** Why a record was given up, in a word. */
function codeOf(outcome: Outcome | null): string | null {
  return outcome === null ? null : 'code' in outcome ? outcome.code : outcome.kind
}

import type { Destination } from '../../connectors/destination.ts'
import type { GroupLag } from '../../connectors/kafka/admin.ts'
import type { Log } from '../../connectors/kafka/client.ts'
import type { PartitionHistory } from '../../connectors/kafka/partition-history.ts'
import { pause } from '../../connectors/pause.ts'
import { fateOf, TributaryError } from '../../schemas/errors.ts'
import type { Assignment } from '../assignment.ts'
import type { Engine } from '../engine.ts'
import type { Route } from '../item.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Membership } from '../membership.ts'
import { decideSweep } from './decision.ts'
import { sweepPartition } from './sweep-partition.ts'

/** How soon a new assignment is looked at. */
const LOOK_EVERY_MS = 1_000
/** How soon after trouble, or where the group is behind, and how soon where all is well; a short retention makes both shorter. */
const AGAIN_MS = 30_000
const WELL_MS = 3_600_000
const LOOKS_A_RETENTION = 20
const TELL_EVERY_MS = 10_000

export interface SweepingOptions {
  readonly engine: Pick<Engine, 'assignments' | 'offer' | 'hasRoom' | 'changed'>
  readonly ledger: Pick<Ledger, 'progress' | 'deletesSeen' | 'touch' | 'liveKeys' | 'claim' | 'connection'>
  readonly destination: Pick<Destination, 'keys'>
  readonly membership: Pick<Membership, 'next'>
  readonly history: PartitionHistory
  readonly routes: readonly Route[]
  /** Where the group stands on the topics of all routes. */
  readonly groupLag: () => Promise<readonly GroupLag[]>
  readonly deleteRetentionMs: number
  readonly log: Log
  /** How soon a new assignment is looked at; default {@link LOOK_EVERY_MS}. */
  readonly lookEveryMs?: number
}

interface Standing {
  readonly rows: readonly GroupLag[]
  readonly askedAt: number
}

interface Before {
  readonly wasDelivered: boolean
  readonly settledAtMs: number | null
}

/**
 * Finds out, for each partition that this member is given, whether its subscriber was away for so long that deletes may have gone from the topic
 * unseen, and then sweeps it; one partition after the other. While a partition is read to its end it notes so, now and then: a subscriber
 * that is merely idle was not away, and one that stays behind for too long is swept once it has caught up.
 */
export class Sweeping {
  readonly #options: SweepingOptions
  readonly #dueAt = new WeakMap<Assignment, number>()
  #before: ReadonlyMap<string, Before> = new Map()
  /** Asked at most once a round, whatever the number of partitions. */
  #standing: Promise<Standing> | null = null

  constructor(options: SweepingOptions) {
    this.#options = options
  }

  /**
   * Notes how everything stands. To be called before the first record is read: the first settled one makes a ledger look recent.
   * @throws TributaryError `kafka-unreachable`, `topic-missing`, `ledger-unreachable`
   */
  async prepare(subscriber: string): Promise<void> {
    const { routes, ledger, groupLag } = this.#options
    const entities = new Map(routes.map(({ topic, mapping }) => [topic, mapping.entity.name]))
    const rows = (await groupLag()).map(async ({ topic, partition, committed }) => {
      const progress = await ledger.progress({ subscriber, entity: entities.get(topic)!, partition })
      const before = { wasDelivered: committed !== null, settledAtMs: progress?.settledAtMs ?? null }
      return [`${topic}/${partition}`, before] as const
    })
    this.#before = new Map(await Promise.all(rows))
  }

  /** @throws what has not the fate `retry` */
  async run(signal: AbortSignal): Promise<void> {
    const { engine, lookEveryMs = LOOK_EVERY_MS } = this.#options
    while (!signal.aborted) {
      this.#standing = null
      for (const assignment of [...engine.assignments]) {
        if (signal.aborted || !assignment.active) continue
        if (performance.now() < (this.#dueAt.get(assignment) ?? 0)) continue
        const isWell = await this.#look(assignment, signal)
        const everyMs = this.#options.deleteRetentionMs / LOOKS_A_RETENTION
        this.#dueAt.set(assignment, performance.now() + Math.min(everyMs, isWell ? WELL_MS : AGAIN_MS))
      }
      await pause(lookEveryMs, signal)
    }
  }

  /** @returns whether all deletes up to now were seen */
  async #look(assignment: Assignment, signal: AbortSignal): Promise<boolean> {
    const { log } = this.#options
    try {
      return await this.#decide(assignment, signal)
    } catch (error) {
      if (signal.aborted || !assignment.active) return false
      // A destination that cannot list its keys as they are mapped is no reason to deliver nothing.
      const cannotList = error instanceof TributaryError && error.code === 'destination-unsuitable'
      if (fateOf(error) !== 'retry' && !cannotList) throw error
      const { subscriber, entity, partition } = assignment.scope
      const reason = (error as Error).message
      log('warn', `${subscriber}: it cannot be told whether deletes were missed, trying again`, {
        entity,
        partition,
        reason,
      })
      return false
    }
  }

  async #decide(assignment: Assignment, signal: AbortSignal): Promise<boolean> {
    const { ledger, destination, deleteRetentionMs, log } = this.#options
    const { scope, topic, partition } = assignment
    const { subscriber, entity } = scope
    const before = this.#before.get(`${topic}/${partition}`)
    const { atMs, nowMs } = await ledger.deletesSeen(scope)
    const seenAtMs = atMs ?? before?.settledAtMs ?? null
    const decision = decideSweep({
      seenAgoMs: seenAtMs === null ? null : nowMs - seenAtMs,
      deleteRetentionMs,
      wasDelivered: before?.wasDelivered ?? false,
      listsKeys: destination.keys !== undefined,
    })
    switch (decision.kind) {
      case 'sweep':
        return await this.#sweep(assignment, decision.by, signal)
      case 'seen': {
        const atEndAt = await this.#atEndAt(assignment)
        return atEndAt !== null && (await this.#touch(assignment, performance.now() - atEndAt))
      }
      case 'unknown':
        log('warn', `${subscriber} has lost its ledger and cannot list what it has: deletes may have been missed`, {
          entity,
          partition,
          next: `compare it with the source; tributary resync ${subscriber} ${entity} sends all that is there`,
        })
        return await this.#touch(assignment, 0)
      case 'new':
        return await this.#touch(assignment, 0)
    }
  }

  async #sweep(assignment: Assignment, by: 'ledger' | 'destination', signal: AbortSignal): Promise<boolean> {
    const { routes, log } = this.#options
    const { mapping, partitions } = routes.find(({ topic }) => topic === assignment.topic)!
    const { subscriber, entity, partition } = assignment.scope
    const where = { entity, partition }
    const began = performance.now()
    log('info', `${subscriber} was away for long: looking for deletes that it has missed`, { ...where, by })
    let toldAt = began
    const onProgress = (keys: number, deleted: number) => {
      if (performance.now() - toldAt < TELL_EVERY_MS) return
      toldAt = performance.now()
      log('info', `${subscriber}: looking for missed deletes`, { ...where, keys, deleted })
    }
    const parts = { ...this.#options, mapping, partitions }
    const { isComplete, ...counts } = await sweepPartition(parts, assignment, by, onProgress, signal)
    if (assignment.active && !signal.aborted)
      if (isComplete) log('info', `${subscriber}: missed deletes are made up for`, { ...where, ...counts })
      else log('warn', `${subscriber}: the topic has no record, so nothing was deleted; was it made anew?`, where)
    return isComplete && (await this.#touch(assignment, performance.now() - began))
  }

  /** When the group had finished all there is, as a monotonic time; null when it has not. A partition without any record counts. */
  async #atEndAt({ topic, partition }: Assignment): Promise<number | null> {
    this.#standing ??= this.#ask()
    const { rows, askedAt } = await this.#standing
    const row = rows.find((one) => one.topic === topic && one.partition === partition)
    return row !== undefined && (row.committed ?? row.low) >= row.high ? askedAt : null
  }

  async #ask(): Promise<Standing> {
    const askedAt = performance.now()
    return { rows: await this.#options.groupLag(), askedAt }
  }

  async #touch(assignment: Assignment, agoMs: number): Promise<boolean> {
    const { ledger, membership } = this.#options
    const token = await assignment.token(ledger as Ledger, () => membership.next())
    if (token === '' || !assignment.active) return false
    return (await ledger.touch(assignment.scope, token, agoMs)) === 'ok'
  }
}

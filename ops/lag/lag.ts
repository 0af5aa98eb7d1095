import type { EntityClass } from '../../schemas/entity.ts'
import type { Declaration } from '../declaration/declaration.ts'
import { type ClusterLook, lagOf, type PartitionLook } from '../exporter/look.ts'

/**
 * - `fresh`: within the target
 * - `late`: the oldest unfinished record is older than the entity's freshness target
 * - `unread`: records wait, and no member reads them
 */
export type LagState = 'fresh' | 'late' | 'unread'

/** How late one subscriber is with one entity. */
export interface LagRow {
  readonly subscriber: string
  readonly entity: string
  readonly class: EntityClass
  readonly owner: string
  readonly state: LagState
  /** Members of its group. */
  readonly members: number
  /** At most: compaction may have taken some of them. */
  readonly lagRecords: number
  /** Age of the oldest record that is not finished; 0 when all are. */
  readonly lagSeconds: number
  readonly targetSeconds: number
  /** null when they could not be counted. */
  readonly deadLetters: number | null
  readonly retryingLetters: number | null
}

/** What a look says, entity by entity; the latest against its target first. */
export function lagRows({ entities }: Declaration, look: ClusterLook, nowMs: number): readonly LagRow[] {
  const rows = look.groups.flatMap(({ subscriber, entityClass, members, partitions }) => {
    const byEntity = Map.groupBy(partitions, ({ entity }) => entity)
    const letters = look.letters.find((one) => one.subscriber === subscriber)
    const open = (entity: string, state: 'dead' | 'retrying') =>
      letters?.counts.find((count) => count.entity === entity && count.state === state)?.open ?? null
    return [...byEntity].map(([entity, of]): LagRow => {
      const { owner, freshnessSeconds } = entities.get(entity)!
      const lagSeconds = Math.max(0, ...of.map(({ waitingSinceMs }) => ageSeconds(waitingSinceMs, nowMs)))
      return {
        subscriber,
        entity,
        class: entityClass,
        owner,
        state: stateOf(of, members, lagSeconds, freshnessSeconds),
        members,
        lagRecords: Number(of.reduce((sum, one) => sum + lagOf(one), 0n)),
        lagSeconds,
        targetSeconds: freshnessSeconds,
        deadLetters: open(entity, 'dead'),
        retryingLetters: open(entity, 'retrying'),
      }
    })
  })
  const lateness = ({ lagSeconds, targetSeconds }: LagRow) => lagSeconds / targetSeconds
  return rows.toSorted((a, b) => lateness(b) - lateness(a))
}

function ageSeconds(sinceMs: number | null, nowMs: number): number {
  return sinceMs === null ? 0 : (nowMs - sinceMs) / 1000
}

function stateOf(
  partitions: readonly PartitionLook[],
  members: number,
  lagSeconds: number,
  targetSeconds: number,
): LagState {
  const waits = partitions.some(({ waitingSinceMs }) => waitingSinceMs !== null)
  if (waits && members === 0) return 'unread'
  return lagSeconds > targetSeconds ? 'late' : 'fresh'
}

import type { LedgerServerState } from '../../consumers/ledger/server-state.ts'
import type { EntityClass } from '../../schemas/entity.ts'
import type { TributaryError } from '../../schemas/errors.ts'
import type { LetterCount } from './open-letters.ts'

/** The servers that every process of a pipeline shares. */
export const SERVERS = ['kafka', 'registry', 'redis'] as const
export type Server = (typeof SERVERS)[number]

/** What one look at the cluster has found. Who did not answer is missing from it, and named. */
export interface ClusterLook {
  readonly up: Readonly<Record<Server, boolean>>
  readonly groups: readonly GroupLook[]
  readonly letters: readonly SubscriberLetters[]
  readonly ledger: LedgerServerState | null
  readonly failures: readonly TributaryError[]
}

/** Where one consumer group stands: a subscriber's entities of one class. */
export interface GroupLook {
  readonly groupId: string
  readonly subscriber: string
  readonly entityClass: EntityClass
  readonly members: number
  readonly partitions: readonly PartitionLook[]
}

export interface PartitionLook {
  readonly entity: string
  readonly topic: string
  readonly partition: number
  /** The group's offset; null when it has never committed here. */
  readonly committed: bigint | null
  /** The first and the next offset of the partition. */
  readonly low: bigint
  readonly high: bigint
  /** When the oldest record that is not finished was published, ms since 1970; null when all are. */
  readonly waitingSinceMs: number | null
}

export interface SubscriberLetters {
  readonly subscriber: string
  readonly counts: readonly LetterCount[]
  readonly untracked: number
}

/** How many records of a partition its group has not finished; at most, as compaction may have taken some of them. */
export function lagOf({ committed, low, high }: Pick<PartitionLook, 'committed' | 'low' | 'high'>): bigint {
  const from = committed === null || committed < low ? low : committed
  return high > from ? high - from : 0n
}

import type { Change } from '../schemas/delta.ts'
import type { EntityClass } from '../schemas/entity.ts'
import type { Value } from '../schemas/field-type.ts'
import type { Version } from '../schemas/version.ts'
import type { BreakerState } from './health/breaker.ts'

/** What the consuming side tells whoever watches (metrics, the live view). Called often; must be quick and never throw. */
export interface DeliveryObserver {
  received(entity: string, records: number): void
  /** Records that became one with another one of their key before anything was sent. */
  coalesced(entity: string, records: number): void
  /** Records that needed no request: `duplicate` (this version is applied), `stale` (a newer one is) or `unchanged` (the subscriber already is so). */
  gated(entity: string, reason: GatedReason, records: number): void
  applied(applied: AppliedPatch): void
  /** An answer other than applied, by outcome. */
  answered(entity: string, outcome: string): void
  deadLettered(entity: string, code: string): void
  /** A record failed by itself, and waits alone. */
  retried(entity: string): void
  /** The destination's breaker for one class of entities, whenever it changes. */
  breaker(entityClass: EntityClass, state: BreakerState): void
  /** How far behind a partition is, in records; null when this member does not hold it any more. */
  lag(entity: string, partition: number, records: number | null): void
  /** What this member does now for one class of entities; told some times a second. */
  load(entityClass: EntityClass, load: MemberLoad): void
  /** How long one batch took in the ledger and at the destination. */
  batch(entity: string, records: number, ledgerMs: number, applyMs: number): void
}

export type GatedReason = 'duplicate' | 'stale' | 'unchanged'

export interface MemberLoad {
  /** Requests under way, and how many may be. */
  readonly requests: number
  readonly requestsMax: number
  /** Entity → keys that failed by themselves, or are held, and wait until a time. */
  readonly parkedKeys: ReadonlyMap<string, number>
}

export interface AppliedPatch {
  readonly entity: string
  readonly key: string
  readonly version: Version
  readonly op: Change['op']
  readonly full: boolean
  /** Destination field → value; empty for a delete. Holds personal data: for the live view on the operator's own terminal, never for a log. */
  readonly fields: Readonly<Record<string, Value>>
  /** From the commit at the source until the destination's answer. */
  readonly latencyMs: number
}

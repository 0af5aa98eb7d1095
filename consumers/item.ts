import type { Destination, EntityMapping, Outcome } from '../connectors/destination.ts'
import type { Log } from '../connectors/kafka/client.ts'
import type { DeltaDecoder } from '../schemas/codec.ts'
import type { Change } from '../schemas/delta.ts'
import type { TributaryError } from '../schemas/errors.ts'
import type { Assignment } from './assignment.ts'
import type { ClaimFetcher } from './fetch-claims.ts'
import type { Fingerprinter } from './fingerprint.ts'
import type { Health } from './health/health.ts'
import type { Waiting } from './lanes/lanes.ts'
import type { Trials } from './lanes/trials.ts'
import type { LedgerEntry } from './ledger/entry.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { DeadLetterWriter } from './letters/dead-letter.ts'
import type { Membership } from './membership.ts'
import type { DeliveryObserver } from './observer.ts'
import type { RetryPolicy } from './outcomes.ts'
import type { PatchPlan } from './patch.ts'

/** What a subscriber takes of one entity. */
export interface Route {
  readonly topic: string
  readonly mapping: EntityMapping
  readonly fingerprinter: Fingerprinter
  /** How many its topic has. */
  readonly partitions: number
}

/** All that delivery to one subscriber works with. */
export interface DeliveryContext {
  readonly prefix: string
  readonly subscriber: string
  readonly destination: Destination
  readonly ledger: Ledger
  readonly decoder: DeltaDecoder
  readonly deadLetters: DeadLetterWriter
  readonly claims: ClaimFetcher
  readonly membership: Membership
  readonly observer: DeliveryObserver
  readonly health: Health
  readonly retry: RetryPolicy
  /** Whether what a record of the entity `asking` waits for is behind or has dead letters. `target` is a destination's own name of it, or ''. */
  readonly isBehind: (target: string, asking: string) => Promise<boolean>
  readonly log: Log
  /** Aborts when the process stops: what is not settled by then stays unfinished and comes again. */
  readonly signal: AbortSignal
}

/** One record under way, from its lane until it is finished or put back; each stage fills in its part. */
export interface Item {
  readonly assignment: Assignment
  readonly record: Waiting
  /** Nothing more is needed: its offset may be passed. */
  done: boolean
  change: Change | null
  /** Why the record cannot be read or mapped; it becomes a dead letter unless something newer was applied. */
  unreadable: TributaryError | null
  /** The owner's token under which the gate let it through; null while it may not be sent. */
  token: string | null
  entry: LedgerEntry | null
  plan: PatchPlan | null
  outcome: Outcome | null
  /** Whether the outcome is the destination's own word. */
  asked: boolean
  /** What the next round has to know, and how long it waits, once it is clear that there is one. */
  again: { readonly inMs: number; readonly trials: Trials } | null
  /** It is given up although it may succeed one day: when it is tried again, ms since 1970; null for never. */
  givenUp: { readonly nextTryAt: number | null } | null
}

export function newItem(assignment: Assignment, record: Waiting): Item {
  return {
    assignment,
    record,
    done: false,
    change: null,
    unreadable: null,
    token: null,
    entry: null,
    plan: null,
    outcome: null,
    asked: false,
    again: null,
    givenUp: null,
  }
}

/** The items by the partition they belong to: what one script of the ledger works on. */
export function byAssignment(items: readonly Item[]): Map<Assignment, Item[]> {
  const groups = new Map<Assignment, Item[]>()
  for (const item of items) {
    const group = groups.get(item.assignment)
    if (group) group.push(item)
    else groups.set(item.assignment, [item])
  }
  return groups
}

/**
 * Waits for all, and only then throws the first error: what is still under way for one partition must not finish its records in the
 * midst of a next round that asks for them again.
 */
export async function allDone(parts: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(parts)) if (result.status === 'rejected') throw result.reason
}

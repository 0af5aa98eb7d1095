import type { Destination, EntityMapping, Outcome } from '../connectors/destination.ts'
import type { Log } from '../connectors/kafka/client.ts'
import type { DeltaDecoder } from '../schemas/codec.ts'
import type { Change } from '../schemas/delta.ts'
import type { TributaryError } from '../schemas/errors.ts'
import type { Assignment } from './assignment.ts'
import type { DeadLetterWriter } from './dead-letter.ts'
import type { ClaimFetcher } from './fetch-claims.ts'
import type { Fingerprinter } from './fingerprint.ts'
import type { Waiting } from './lanes.ts'
import type { LedgerEntry } from './ledger/entry.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { Membership } from './membership.ts'
import type { DeliveryObserver } from './observer.ts'
import type { PatchPlan } from './patch.ts'

/** What a subscriber takes of one entity. */
export interface Route {
  readonly topic: string
  readonly mapping: EntityMapping
  readonly fingerprinter: Fingerprinter
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
  readonly log: Log
  /** Aborts when the process stops: what is not settled by then stays unfinished and comes again. */
  readonly signal: AbortSignal
}

/** One record under way, from its lane until it is finished; each stage fills in its part, anew in every round. */
export interface Item {
  readonly assignment: Assignment
  readonly record: Waiting
  /** Nothing more is needed: its offset may be passed. */
  done: boolean
  change: Change | null
  /** Why the record cannot be read; it becomes a dead letter unless something newer was applied. */
  unreadable: TributaryError | null
  /** The owner's token under which the gate let it through; null while it may not be sent. */
  token: string | null
  entry: LedgerEntry | null
  plan: PatchPlan | null
  outcome: Outcome | null
  /** The next patch carries every field, because the destination lacks the object. */
  mustBeFull: boolean
  /** A request for this record ended unknown, so the ledger may be wrong about the key. */
  uncertain: boolean
  /** How long to wait before the full patch is repeated, because a lost request may still land; in ms. */
  holdMs: number
  attempts: number
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
    mustBeFull: false,
    uncertain: false,
    holdMs: 0,
    attempts: 0,
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

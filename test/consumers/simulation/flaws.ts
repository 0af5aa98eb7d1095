import type { LedgerFlaws } from '../ledger/ledger-model.ts'

/** What a negative control breaks on purpose. Nothing of it exists outside the simulation. */
export interface Flaws extends LedgerFlaws {
  /** The ledger is written before the destination is asked. */
  readonly recordsFirst?: boolean
  /** A request of unknown result counts as surely not applied. */
  readonly unknownIsCertain?: boolean
  /** Waiting records of a key become the one that came last. */
  readonly coalescesByArrival?: boolean
  /** The destination makes an object of a patch that is not full. */
  readonly partialCreates?: boolean
  /** The highest finished offset is committed, whatever is unfinished below it. */
  readonly commitsPastHoles?: boolean
  /** A full patch is not repeated where versions are not compared. */
  readonly neverHolds?: boolean
  /** A record that waits alone to be tried again counts as finished. */
  readonly parkedIsFinished?: boolean
  /** A record that waits alone goes behind what came after it. */
  readonly parkedGoesLast?: boolean
  /** A destination that compares counts as if a delete left something to compare with. */
  readonly deletesCountAsKept?: boolean
  /** An owner out of touch with its group sends all the same. */
  readonly sendsOutOfTouch?: boolean
}

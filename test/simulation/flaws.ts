import type { Flaws as EngineFlaws } from '../consumers/simulation/flaws.ts'

/** What a negative control breaks on purpose, in what surrounds the stages. The first are the capturing side's. */
export interface Flaws extends EngineFlaws {
  /** The source is told to forget what it has sent, not what was published. */
  readonly acknowledgesReceived?: boolean
  /** A send counts as done when its answer is lost. */
  readonly lostAnswerIsDone?: boolean
  /** Sends are answered before they are appended, and a crash loses those. */
  readonly answersEarly?: boolean
  /** Kafka takes records of a producer that was replaced. */
  readonly noProducerFence?: boolean
  /** Two sends are under way at once, and the second may come first. */
  readonly concurrentSends?: boolean
  /** All changes of a transaction have one version. */
  readonly versionByPositionAlone?: boolean
  /** A new history goes on with the former epoch. */
  readonly sameEpoch?: boolean
  /** Keys that went away between two histories are not looked for. */
  readonly noSweep?: boolean
  /** Of a key that is read back the last record counts, not the newest. */
  readonly sweepsByLast?: boolean
  /** A topic is read back without shutting former writers out. */
  readonly readsUnfenced?: boolean
  /** A row that was read again is published without what was missing. */
  readonly neverHydrates?: boolean
  /** A delete is not published. */
  readonly deletesIgnored?: boolean
  /** The destination is said to compare versions, and does not. */
  readonly comparisonIgnored?: boolean
}

/*
 * What a run leaves behind, written by recorders of its own and by nothing that is under test. Everything here is JSON as it is:
 * a history is saved line by line (save.ts) and can be judged again without the servers (../checker/check.ts).
 *
 * Values are texts as PostgreSQL writes them (`12.50`, `t`→`true`, `2026-01-31`, `\x00ff`), null for null, so that what the source, a topic
 * and a destination say of one field can be compared as it is. Long ones are shortened by everyone in the same way (values.ts).
 * Times are milliseconds since 1970 by the clock of the machine; versions are `epoch/position/ordinal` (schemas/version.ts).
 */

/** Fields of one object by the entity's field names. */
export type Fields = Readonly<Record<string, string | null>>

/** The {@link SourceEntry.transaction} of what was there when the recording began. */
export const BEFORE = 'before'

/** One change at the source, written by a trigger in the same transaction, so it is there if and only if the change was committed. */
export interface SourceEntry {
  /** Grows in commit order among the changes of one key, as its row lock is held until the commit. */
  readonly number: number
  readonly atMs: number
  readonly entity: string
  readonly key: string
  /** The whole row after the change; null: it was deleted. */
  readonly fields: Fields | null
  /** The source's own id of the transaction, or {@link BEFORE}. Of several changes of a key in one, only the last need take effect. */
  readonly transaction: string
}

/** One record of an entity's topic, in offset order within a partition. */
export interface TopicEntry {
  readonly entity: string
  readonly partition: number
  readonly offset: number
  /** The record's own timestamp. */
  readonly atMs: number
  readonly key: string
  readonly version: string
  readonly op: 'create' | 'update' | 'snapshot' | 'delete'
  /** The whole entity at this version; null for a delete. */
  readonly fields: Fields | null
  /** Of the value's bytes; null for a delete. */
  readonly hash: string | null
}

/** One request or statement that reached a destination, whether it took effect or not. */
export interface EffectEntry {
  readonly destination: string
  /** Grows in the order in which they took effect on one object. */
  readonly number: number
  readonly atMs: number
  readonly entity: string
  readonly key: string
  /** The version it was sent with; null where the request does not say it. */
  readonly version: string | null
  readonly op: 'write' | 'delete'
  /** What was sent; null for a delete, and for destinations that record only what they hold afterwards. */
  readonly sent: Fields | null
  /** What the destination holds of this object afterwards, in the entity's field names; null: nothing. */
  readonly after: Fields | null
  /**
   * - `applied`: it took effect, whether or not the sender was told
   * - `rejected`: refused for what it says
   * - `failed`: refused for another reason (an outage, too many requests, an older version), or lost
   */
  readonly result: 'applied' | 'rejected' | 'failed'
}

/** One record of a subscriber's dead-letter topic, in offset order within a partition. */
export interface LetterEntry {
  readonly subscriber: string
  readonly partition: number
  readonly offset: number
  readonly atMs: number
  readonly entity: string
  readonly key: string
  /** null: the entry is cleared. */
  readonly letter: {
    /** Of the record that was given up. */
    readonly version: string
    readonly reason: string
    readonly attempts: number
    /** Of the kept record's value, as {@link TopicEntry.hash}. */
    readonly hash: string | null
  } | null
}

/**
 * How far everything was at one moment, read in this order, so that what is read first can never be ahead of what is read later unless
 * somebody acknowledged too early: `confirmed`, `committed`, then `ends` and `effects`.
 */
export interface ProgressSample {
  readonly atMs: number
  /** confirmed_flush_lsn of the source's slot as a decimal number; null while there is no slot. */
  readonly confirmed: string | null
  /** Committed offsets (the next to be read), by destination and `entity/partition`. */
  readonly committed: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** The end of each partition (the next offset that is written), by `entity/partition`. */
  readonly ends: Readonly<Record<string, number>>
  /** The newest {@link EffectEntry.number} of each destination. */
  readonly effects: Readonly<Record<string, number>>
}

export interface ProcessSample {
  readonly atMs: number
  readonly process: string
  readonly pid: number
  readonly rssBytes: number
}

/** A line that a process of ours wrote, or something else that it shows to the world (a page of metrics). */
export interface OutputEntry {
  readonly atMs: number
  readonly process: string
  readonly text: string
}

/** Something that was done to the run. */
export interface FaultEntry {
  readonly kind: string
  /** What it was done to: a process, a server, a destination. */
  readonly target: string
  readonly fromMs: number
  readonly toMs: number
  /** The destination that alone was hit, when no other may notice (G9). */
  readonly alone?: string
  /** The entities whose requests alone fail there: those of other classes may not notice either. */
  readonly entities?: readonly string[]
  readonly detail?: string
}

/** What a place held of one object when the run was quiet, read from itself and from no history. Objects that are not there have no entry. */
export interface StateEntry {
  /** `source`, or the name of a destination. */
  readonly place: string
  readonly entity: string
  readonly key: string
  readonly fields: Fields
}

/** A destination as far as the checker has to know it. */
export interface DestinationAbout {
  readonly name: string
  /** Whether it refuses what is older than it holds. */
  readonly comparesVersions: boolean
  /** The fields that it gets, by entity. */
  readonly fields: Readonly<Record<string, readonly string[]>>
}

export interface About {
  readonly seed: number
  readonly startedMs: number
  /** When the last fault was healed and little went on; null when the run did not get there. */
  readonly healedMs: number | null
  /** When everything was captured and delivered; null when that did not happen within `quietWithinMs` of the workload's end. */
  readonly quietMs: number | null
  readonly quietWithinMs: number
  readonly destinations: readonly DestinationAbout[]
  /**
   * Whether the source's history was continued throughout: no slot was lost and no database set back. Then every state must be on the
   * topic; else only the newest.
   */
  readonly isContinuous: boolean
  /**
   * Entities whose records are completed from the row as it is when it is read, as the source's log leaves values out: what a record says may
   * be newer than its version, so only the last state of a key can be looked for.
   */
  readonly completed: readonly string[]
  /** The groups' promise of G8: what is committed after `recoveredMs` takes effect within this. */
  readonly latencyMsMax: number
  /** When everything that was committed before the last fault was healed had arrived; null when the run did not get there. */
  readonly recoveredMs: number | null
  /** Texts that may be in no output: passwords and personal values of this run. */
  readonly secrets: readonly string[]
  readonly rssBytesMax: number
}

export interface RunHistory {
  readonly about: About
  readonly source: readonly SourceEntry[]
  readonly topic: readonly TopicEntry[]
  readonly effects: readonly EffectEntry[]
  readonly letters: readonly LetterEntry[]
  readonly progress: readonly ProgressSample[]
  readonly processes: readonly ProcessSample[]
  readonly output: readonly OutputEntry[]
  readonly faults: readonly FaultEntry[]
  readonly states: readonly StateEntry[]
}

/** A history of what is given, and nothing of the rest: for scripted scenarios that look at a few guarantees only. */
export function historyOf(about: Partial<About>, parts: Partial<Omit<RunHistory, 'about'>>): RunHistory {
  return {
    about: {
      seed: 0,
      startedMs: 0,
      healedMs: null,
      quietMs: null,
      quietWithinMs: 180_000,
      destinations: [],
      isContinuous: true,
      completed: [],
      latencyMsMax: 60_000,
      recoveredMs: null,
      secrets: [],
      rssBytesMax: Number.MAX_SAFE_INTEGER,
      ...about,
    },
    ...{
      source: [],
      topic: [],
      effects: [],
      letters: [],
      progress: [],
      processes: [],
      output: [],
      faults: [],
      states: [],
    },
    ...parts,
  }
}

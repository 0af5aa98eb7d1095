import type { Deletion, Delta, Provenance } from '../schemas/delta.ts'
import type { Value } from '../schemas/field-type.ts'
import type { Version } from '../schemas/version.ts'

/**
 * The contract of a source: changes out, acknowledgements in, one resume state.
 *
 * Order: per key, events come in version order; `progress` comes after every event it covers.
 */
export interface Source {
  /**
   * What {@link prepare} would make at the source, in words, without changing anything; `provision` prints it.
   * @throws TributaryError `source-unsuitable`, `source-unreachable`
   */
  plan(): Promise<readonly string[]>

  /**
   * Checks the source and makes what capture needs there (idempotent). Called before {@link events}, and by `provision`.
   * @throws TributaryError `source-unsuitable`, `source-unreachable`
   */
  prepare(): Promise<void>

  /**
   * Streams events in batches until `signal` aborts (then it ends without an error) or something breaks (then it throws).
   * The source reads on only when the next batch is asked for, so back-pressure reaches its socket.
   * @throws TributaryError `history-lost` when the history cannot be continued and the declaration wants a person to decide
   */
  events(context: CaptureContext, signal: AbortSignal): AsyncIterable<readonly SourceEvent[]>

  /**
   * Asks whether the source is held by this reader and no other still. The pipeline asks once its producer has replaced every earlier one, and
   * before it sends anything: a process that was frozen in between would otherwise replace its own successor's.
   * @throws TributaryError `source-unreachable` when it is not
   */
  requireHeld(): Promise<void>

  /** Everything up to a `progress` event's position is durable in Kafka, and the position itself: the source may forget it. Called in order. */
  acknowledge(position: bigint): void

  /**
   * Reads the present state of entities, for changes that came without all their fields.
   * @param transactions the transactions of those changes: what is read is at least as new as they are. A committed and decoded
   * transaction is not always visible to others yet, so the source waits (bounded) until they are
   * @returns for each key that still exists, the fields asked for
   */
  hydrate(
    entity: string,
    keys: readonly string[],
    fields: readonly string[],
    transactions: readonly (string | null)[],
  ): Promise<ReadonlyMap<string, HydratedRow>>

  /** How far behind this source is, for `status`. Works without {@link events} running. */
  status(): Promise<SourceStatus>

  /** Closes every connection. Idempotent. */
  close(): Promise<void>
}

export type HydratedRow = Readonly<Record<string, Value>>

export type SourceEvent =
  | {
      readonly kind: 'change'
      readonly change: Delta | Deletion
      /** Fields missing in `after` that the source has and did not send; hydrate reads them. Empty for most changes. */
      readonly missing: readonly string[]
    }
  | {
      /** A row that cannot be encoded: goes to the capture dead letters; the source goes on. */
      readonly kind: 'unencodable'
      readonly entity: string
      readonly key: string
      readonly version: Version
      readonly source: Provenance
      readonly field: string
      /** What is wrong, without the value. */
      readonly reason: string
    }
  | {
      /** Everything before this event may be acknowledged as `position` once it is durable. */
      readonly kind: 'progress'
      readonly position: bigint
      /**
       * What tells this history from another with the same positions; stored with the position, for the source alone. Read once everything
       * before this event is hydrated: it may speak of what that read.
       */
      readonly mark?: string
    }
  | {
      /**
       * Before anything behind this event is published, the last position is stored. So what is read anew after a crash does not come behind
       * something newer than it.
       */
      readonly kind: 'settle'
    }
  | {
      /** Stored in the positions topic after everything before it is durable; null removes it. */
      readonly kind: 'state'
      /** 1 to 100 of a-z, 0-9, `-` and `/`; `position` is the pipeline's own. */
      readonly name: string
      readonly value: object | null
    }

/** What a source asks of the pipeline while it streams. */
export interface CaptureContext {
  /**
   * What is stored for this source, for a look before it is held by this reader: a holder may store more at any time.
   * @throws TributaryError `kafka-unreachable`, `topic-missing`, `position-corrupt`
   */
  loadState(): Promise<StoredState>
  /**
   * What is stored for this source, once it is held by this reader and no other: from here on nothing that a former holder still has under
   * way is stored any more.
   * @throws TributaryError as {@link loadState}; `publish-failed`, and what {@link Source.requireHeld} throws
   */
  takeOver(): Promise<StoredState>
  /** The source is held by this reader and streams. */
  onStreaming(): void
  /** Where the topic of an entity ends now: the range that {@link published} reads from its beginning. */
  publishedRange(entity: string): Promise<PublishedRange>
  /**
   * The records of an entity's topic within `range`, in batches of bounded size. Waits first until everything handed out so far is
   * durable. Keys come as often as they have records; `rest` of a batch is the range that is still to be read after it.
   */
  published(entity: string, range: PublishedRange): AsyncIterable<PublishedBatch>
}

/** A range of a topic: partition → its next and its end offset, as decimal text. Plain JSON, kept in a source's state. */
export type PublishedRange = Readonly<Record<string, { readonly next: string; readonly end: string }>>

export interface PublishedBatch {
  readonly records: readonly PublishedRecord[]
  readonly rest: PublishedRange
}

/** What a record of an entity's topic says, without its value. */
export interface PublishedRecord {
  readonly key: string
  readonly version: Version
  readonly deleted: boolean
}

/** What a source needs to continue: named JSON values, kept in `<prefix>.positions` under `<source>/<name>`. */
export interface StoredState {
  readonly values: ReadonlyMap<string, unknown>
  /** The last position stored, with its mark; null when there is none yet. What was acknowledged is never beyond it. */
  readonly position: { readonly position: bigint; readonly mark: string | null } | null
}

/** Progress of a snapshot, told through the options of a source; rows and bytes are estimates of the source. */
export interface SnapshotProgress {
  readonly source: string
  readonly entity: string
  readonly rowsDone: number
  readonly rowsEstimated: number
  readonly startedAtMs: number
  readonly done: boolean
}

export interface SourceStatus {
  /** Whether a capture process reads from it now. */
  readonly active: boolean
  /** In words: `streaming`, `idle`, `missing`, `lost`, … */
  readonly slot: string
  /** The last acknowledged position in the source's notation; null when there is none yet. */
  readonly position: string | null
  /** Bytes of log that the source keeps for us. */
  readonly lagBytes: number | null
  /** Seconds since the last time the source heard from us and had something we lack; 0 when we have all, null when it cannot be told. */
  readonly lagSeconds: number | null
  /** Bytes of log that the source keeps because of us, confirmed ones included; absent where a source keeps none. */
  readonly retainedBytes?: number
  /** How many it keeps at most before it gives us up; null without a limit. */
  readonly retainedLimitBytes?: number | null
}

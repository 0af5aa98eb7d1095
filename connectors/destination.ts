import type { Entity } from '../schemas/entity.ts'
import type { FieldType, Value } from '../schemas/field-type.ts'
import type { Version } from '../schemas/version.ts'

/** One destination field and what fills it. */
export interface MappedField {
  readonly to: string
  /** The entity fields that its value is made of: one, but for a transform that joins several or needs none. */
  readonly from: readonly string[]
  /** The type of the value as it is sent. */
  readonly type: FieldType
  /**
   * Makes the value of those fields, given in the order of `from`; null where the only one goes over as it is. Pure.
   * @throws TransformRefused when it cannot: the record is at fault
   */
  readonly transform: ((values: readonly Value[]) => Value) | null
}

/** A transform cannot make a value of what it was given. `reason` holds no values of the record. */
export class TransformRefused extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'TransformRefused'
  }
}

/** A destination field that refers to another object there, by that object's own key. */
export interface Lookup {
  /** The collection or object that is referred to, in the destination's own name. */
  readonly target: string
  /** The field of it that holds the key. */
  readonly keyField: string
}

/** What a subscriber takes of an entity, with everything resolved: what destinations and the patch stage work from. */
export interface EntityMapping {
  readonly entity: Entity
  /** The table, collection or resource at the destination. */
  readonly target: string
  readonly fields: readonly MappedField[]
  /** The destination fields that hold the key, in the order of the entity's key fields; none where the destination keeps keys its own way. */
  readonly keyFields: readonly string[]
  /** Objects are never made here, only changed: a patch for one that is missing is `blocked` until it is there. */
  readonly updateOnly: boolean
  /** Destination field → what it refers to. */
  readonly lookups: Readonly<Record<string, Lookup>>
  readonly onDelete: DeletePolicy | ConditionalDelete
}

/**
 * What a delete does at a subscriber.
 * - `hard`: the row goes · `soft`: the row stays, marked (the destination says how) · `archive`: the row moves to an archive
 * - `ignore`: nothing happens there
 */
export const DELETE_POLICIES = ['hard', 'soft', 'archive', 'ignore'] as const
export type DeletePolicy = (typeof DELETE_POLICIES)[number]

/** A delete that is carried out in one way while other objects there refer to the one that goes, and in another way when none does. */
export interface ConditionalDelete {
  /** What is done while the condition holds. */
  readonly policy: DeletePolicy
  /** It holds while the destination has an object of another entity that refers to the deleted one and has these values. */
  readonly while: {
    /** The name of the entity that refers. */
    readonly entity: string
    /** Its table, collection or resource at the destination. */
    readonly target: string
    /** Its destination fields that hold the key of the deleted one, in the order of the deleted one's key fields. */
    readonly refersBy: readonly { readonly to: string; readonly type: FieldType }[]
    /** Its destination fields, and what each has to be; all of them. A null asks for a null. */
    readonly where: readonly { readonly to: string; readonly type: FieldType; readonly value: Value }[]
  }
  /** What is done when it does not hold. */
  readonly otherwise: DeletePolicy
}

/**
 * One request for one object. `fields` holds destination field → value; a field that is not in it stays untouched, null clears.
 * A patch that is not `full` is update-only: where the object is missing the answer is `absent`.
 */
export interface Upsert {
  readonly kind: 'upsert'
  readonly key: string
  readonly version: Version
  readonly full: boolean
  readonly fields: Readonly<Record<string, Value>>
  /**
   * The destination's own mark of the state that the ledger knows (an ETag), which it answered when that was applied; null when none is
   * known, or when it may not be so any more.
   */
  readonly tag: string | null
}

/** A delete, to be carried out as the mapping's policy says. Applies also where the object is missing. */
export interface Removal {
  readonly kind: 'delete'
  readonly key: string
  readonly version: Version
  readonly tag: string | null
}

export type Patch = Upsert | Removal

/** What a destination answers for each patch. The engine alone decides what follows (consumers/outcomes.ts). */
export type Outcome =
  | { readonly kind: 'applied'; readonly tag?: string }
  /** The destination already was so, and did nothing. */
  | { readonly kind: 'unchanged'; readonly tag?: string }
  /** The destination holds a newer version. Nothing was changed. */
  | { readonly kind: 'newer' }
  /** The object is missing and the patch was not full. Nothing was changed. */
  | { readonly kind: 'absent' }
  /** The object was changed by someone else meanwhile, and nothing was changed. It is tried again, in full and without a tag. */
  | { readonly kind: 'conflict' }
  /** It waits for something else, such as a parent that is not there yet, in `by`: a target of this destination, or '' when not known. */
  | { readonly kind: 'blocked'; readonly by: string; readonly code: string; readonly reason: string }
  | { readonly kind: 'throttled'; readonly afterMs: number }
  /** Surely not applied, because the destination is down or refuses everyone. */
  | { readonly kind: 'unavailable'; readonly error: Error }
  /** It may or may not have been applied, now or later. */
  | { readonly kind: 'unknown'; readonly error: Error }
  /** Surely not applied, and never will be: the record is at fault. `code` and `reason` hold no values of the record. */
  | { readonly kind: 'rejected'; readonly code: string; readonly reason: string }

/** A whole request was refused and nothing of it was applied: nobody's outcome. The engine splits until the culprit stands alone. */
export class BatchRefused extends Error {
  readonly code: string
  /** What the culprit waits for, as in the outcome `blocked`; null when it will never be accepted. */
  readonly blockedBy: string | null

  constructor(code: string, reason: string, options: { cause?: unknown; blockedBy?: string | null } = {}) {
    super(reason, { cause: options.cause })
    this.name = 'BatchRefused'
    this.code = code
    this.blockedBy = options.blockedBy ?? null
  }
}

/** What a destination's own limits leave. */
export interface Budget {
  /** The share of its allowance that is left now, 0 to 1: as it last told, with what has come back since. */
  readonly left: number
  /** When more of it is there, in milliseconds from now. */
  readonly moreInMs: number
  /** The most requests it takes at once; null when it does not say. */
  readonly requestsMax: number | null
}

/** A request as it would be sent, for a person. No secrets. */
export interface RequestPreview {
  /** Such as `PATCH https://host/path`; the words of a statement where there are no requests. */
  readonly request: string
  readonly headers: Readonly<Record<string, string>>
  /** JSON as text, or null for none. */
  readonly body: string | null
}

export interface Destination {
  /** Whether every change is conditional on the version held there, so that an older one never overwrites a newer. */
  readonly comparesVersions: boolean
  /**
   * Whether nothing of an object is left to compare with once it was deleted, so that a create which arrives late is not refused. Deletes of
   * uncertain keys are then repeated when nothing can arrive any more.
   */
  readonly forgetsDeletes?: boolean
  /** After this time a request that got no answer can no longer take effect, in milliseconds. */
  readonly lateRequestMs: number
  /** The most patches of one {@link apply}. */
  readonly batchMax: number

  /**
   * What is missing at the destination for the mappings, in words, without changing anything; `provision` prints it.
   * @throws TributaryError `destination-unreachable`, `destination-unsuitable`
   */
  plan(): Promise<readonly string[]>

  /** Makes what {@link plan} lists. Idempotent; adds, never drops. */
  provision(): Promise<void>

  /**
   * Checks that everything is there before the first patch.
   * @throws TributaryError `destination-unreachable`, `destination-unsuitable`
   */
  check(): Promise<void>

  /**
   * Applies patches of one entity, at most one a key, at most {@link batchMax}.
   * @returns one outcome a patch, in order
   * @throws BatchRefused when the whole request was refused; nothing else
   */
  apply(mapping: EntityMapping, patches: readonly Patch[], signal: AbortSignal): Promise<readonly Outcome[]>

  /** What is left of its limits; null when it has none or has not said. Decided from what it told last; asks nothing. */
  budget?(): Budget | null

  /** What {@link apply} would send for a patch. Asks nothing of the destination. */
  preview?(mapping: EntityMapping, patch: Patch): RequestPreview

  /**
   * What it holds of an object: destination field → value in its canonical form, of mapped fields only; null when it has no such object.
   * @throws TributaryError `destination-unreachable`
   */
  read?(mapping: EntityMapping, key: string, signal: AbortSignal): Promise<Readonly<Record<string, Value>> | null>

  /** The keys of all objects that it holds, some at a time; for finding those that were deleted while nobody told it. */
  keys?(mapping: EntityMapping, signal: AbortSignal): AsyncIterable<readonly string[]>

  close(): Promise<void>
}

import type { Entity } from '../schemas/entity.ts'
import type { FieldType, Value } from '../schemas/field-type.ts'
import type { Version } from '../schemas/version.ts'

/** One destination field and the entity field it is filled from. */
export interface MappedField {
  readonly to: string
  readonly from: string
  readonly type: FieldType
}

/** What a subscriber takes of an entity, with everything resolved: what destinations and the patch stage work from. */
export interface EntityMapping {
  readonly entity: Entity
  /** The table, collection or resource at the destination. */
  readonly target: string
  readonly fields: readonly MappedField[]
  readonly onDelete: DeletePolicy
}

/**
 * What a delete does at a subscriber.
 * - `hard`: the row goes · `soft`: the row stays, marked (the destination says how) · `archive`: the row moves to an archive
 * - `ignore`: nothing happens there
 */
export const DELETE_POLICIES = ['hard', 'soft', 'archive', 'ignore'] as const
export type DeletePolicy = (typeof DELETE_POLICIES)[number]

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
}

/** A delete, to be carried out as the mapping's policy says. Applies also where the object is missing. */
export interface Removal {
  readonly kind: 'delete'
  readonly key: string
  readonly version: Version
}

export type Patch = Upsert | Removal

/** What a destination answers for each patch. The engine alone decides what follows (consumers/outcomes.ts). */
export type Outcome =
  | { readonly kind: 'applied' }
  /** The destination already was so, and did nothing. */
  | { readonly kind: 'unchanged' }
  /** The destination holds a newer version. Nothing was changed. */
  | { readonly kind: 'newer' }
  /** The object is missing and the patch was not full. Nothing was changed. */
  | { readonly kind: 'absent' }
  /** The object was changed by someone else meanwhile; try again. */
  | { readonly kind: 'conflict' }
  /** It waits for something else, such as a parent that is not there yet. */
  | { readonly kind: 'blocked'; readonly by: string }
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

  constructor(code: string, reason: string, options?: { cause?: unknown }) {
    super(reason, options)
    this.name = 'BatchRefused'
    this.code = code
  }
}

export interface Destination {
  /** Whether every change is conditional on the version held there, so that an older one never overwrites a newer. */
  readonly comparesVersions: boolean
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

  close(): Promise<void>
}

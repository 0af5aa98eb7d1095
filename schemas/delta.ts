import type { Value } from './field-type.ts'
import type { Version } from './version.ts'

/** Where a change was captured. Times are microseconds since 1970-01-01 UTC. */
export interface Provenance {
  /** The kind of system, such as `postgres`. */
  readonly system: string
  /** Which one of its kind: the name of the source in the declaration. */
  readonly instance: string
  /** The table or object inside it, such as `public.customers`. */
  readonly object: string
  /** The place in the source's log in the source's own notation, such as `0/16B3748`. */
  readonly position: string
  readonly transaction: string | null
  readonly committedAt: bigint
  readonly capturedAt: bigint
}

/** A field held by reference because it is large. */
export interface Claim {
  readonly uri: string
  readonly sha256: string
  readonly bytes: bigint
}

interface ChangeHead {
  readonly entity: string
  /** The record key: plain UTF-8 text (schemas/key.ts). */
  readonly key: string
  readonly version: Version
  readonly source: Provenance
  /** The system whose user made the change; null when the source cannot say. */
  readonly origin: string | null
}

/** A captured change with the whole entity after it. A field that is missing in `after` is unknown (untouched), never null. */
export interface Delta extends ChangeHead {
  readonly op: 'create' | 'update' | 'snapshot'
  /** The fields this change touched; null where the source cannot say. */
  readonly changed: readonly string[] | null
  readonly after: Readonly<Record<string, Value>>
  readonly claims: Readonly<Record<string, Claim>>
}

/** A captured delete: on the topic a null value, with version, source and origin in headers. */
export interface Deletion extends ChangeHead {
  readonly op: 'delete'
}

export type Change = Delta | Deletion

import type { EntityMapping, Upsert } from '../destination.ts'
import type { JsonObject } from '../exact-json.ts'
import type { ODataError, Refusal } from './refusal.ts'
import type { ODataRequest } from './session.ts'

/** An object as it was found: where it is, and its ETag. */
export interface Found {
  readonly address: string
  readonly etag: string
  readonly row: JsonObject
}

/** Where one object is, and how it is looked for and made. Paths as in {@link ODataRequest}. */
export interface Place {
  /** The address of the object itself; null where its key does not give one, so that it has to be looked for. */
  readonly address: string | null
  /** Asks for it: the object itself, or a list that it is the only one of. @param query more of what follows `?`, such as `$select=name` */
  find(query: readonly string[]): string
  /** The address of an object that was found, where the key does not give one. */
  addressOf(row: JsonObject): string | null
  /** Whether a row that was found is really this one: some systems compare keys loosely. */
  isIt(row: JsonObject): boolean
  /** Makes it, and only where it is missing. The path is whole. */
  create(members: readonly Member[]): ODataRequest
}

/** A property of a body and its JSON. */
export type Member = readonly [name: string, json: string]

export type Body =
  | { readonly ok: true; readonly members: readonly Member[] }
  | { readonly ok: false; readonly code: string; readonly reason: string }

/** How one system keeps objects that are marked as deleted. */
export interface SoftDelete {
  isMarked(row: JsonObject): boolean
  readonly mark: readonly Member[]
  readonly unmark: readonly Member[]
}

/** What one system adds to OData. */
export interface Dialect {
  /** In messages: `Dataverse`. */
  readonly system: string
  place(mapping: EntityMapping, key: string): Place | Extract<Body, { ok: false }>
  /** Learns what {@link Place.addressOf} needs; asked before an object without an address is looked for. */
  prepare?(mapping: EntityMapping, signal: AbortSignal): Promise<void>
  /** What is asked of an object before a write: its key, and what tells that it is marked as deleted. */
  findQuery(mapping: EntityMapping): readonly string[]
  body(mapping: EntityMapping, fields: Upsert['fields']): Body
  /** What follows `?` of a write. */
  writeQuery(mapping: EntityMapping, method: 'POST' | 'PATCH' | 'DELETE'): string
  /** Whether every write carries the ETag of the state that it changes. */
  readonly comparesTags: boolean
  /**
   * Asks the set for a row or none. Where it is given, an object that is missing is told by an empty 404, as something in between may give it: a
   * delete then counts as done only when the set itself answers.
   */
  setPath?(mapping: EntityMapping): string
  refusalOf(error: ODataError, request: 'find' | 'create' | 'update' | 'delete'): Refusal
  softDelete(mapping: EntityMapping): SoftDelete | null
  /** The target of what a patch refers to that is missing; '' where that cannot be told. */
  missingReference(mapping: EntityMapping, fields: Upsert['fields'], signal: AbortSignal): Promise<string>
}

import { compareVersions, parseVersion, type Version } from '../../../schemas/version.ts'
import type {
  EffectEntry,
  Fields,
  LetterEntry,
  RunHistory,
  SourceEntry,
  StateEntry,
  TopicEntry,
} from '../histories/history.ts'
import type { Guarantee, Violation } from './verdict.ts'

/** Everything that was recorded of one object. */
export interface ObjectHistory {
  readonly entity: string
  readonly key: string
  readonly source: readonly SourceEntry[]
  /** In offset order. */
  readonly topic: readonly TopicEntry[]
  /** By destination, in the order in which they took effect. */
  readonly effects: ReadonlyMap<string, readonly EffectEntry[]>
  readonly letters: ReadonlyMap<string, readonly LetterEntry[]>
  readonly states: ReadonlyMap<string, StateEntry>
}

/** A run's histories by object. */
export function objectsOf(run: RunHistory): readonly ObjectHistory[] {
  const objects = new Map<string, ReturnType<typeof emptyObject>>()
  const of = ({ entity, key }: { readonly entity: string; readonly key: string }) => {
    const name = JSON.stringify([entity, key])
    const known = objects.get(name) ?? emptyObject(entity, key)
    objects.set(name, known)
    return known
  }
  for (const entry of sorted(run.source, ({ number }) => number)) of(entry).source.push(entry)
  for (const entry of sorted(run.topic, ({ offset }) => offset)) of(entry).topic.push(entry)
  for (const entry of sorted(run.effects, ({ number }) => number)) add(of(entry).effects, entry.destination, entry)
  for (const entry of sorted(run.letters, ({ offset }) => offset)) add(of(entry).letters, entry.subscriber, entry)
  for (const entry of run.states) of(entry).states.set(entry.place, entry)
  return [...objects.values()]
}

function emptyObject(entity: string, key: string) {
  return {
    entity,
    key,
    source: [] as SourceEntry[],
    topic: [] as TopicEntry[],
    effects: new Map<string, EffectEntry[]>(),
    letters: new Map<string, LetterEntry[]>(),
    states: new Map<string, StateEntry>(),
  }
}

function sorted<T>(entries: readonly T[], by: (entry: T) => number): T[] {
  return [...entries].sort((a, b) => by(a) - by(b))
}

function add<T>(lists: Map<string, T[]>, name: string, entry: T): void {
  const list = lists.get(name)
  if (list) list.push(entry)
  else lists.set(name, [entry])
}

/** Whether two say the same of an object: null is nothing. */
export function same(a: Fields | null, b: Fields | null): boolean {
  if (a === null || b === null) return a === b
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name])
}

/** Those of the fields that a destination gets; all where it is not said. */
export function project(fields: Fields | null, names: readonly string[] | undefined): Fields | null {
  if (fields === null || names === undefined) return fields
  return Object.fromEntries(names.map((name) => [name, fields[name] ?? null]))
}

/** Texts that were parsed before: the same few are compared over and over. */
const parsedVersions = new Map<string, Version>()
const PARSED_MAX = 1_000_000

/** @throws Error when the text is not a version: then the recorder is broken */
export function versionOf({ version }: { readonly version: string | null }): Version {
  const known = version === null ? undefined : parsedVersions.get(version)
  if (known !== undefined) return known
  const parsed = version === null ? undefined : parseVersion(version)
  if (parsed === undefined) throw new Error(`not a version: ${version}`)
  if (parsedVersions.size >= PARSED_MAX) parsedVersions.clear()
  parsedVersions.set(version!, parsed)
  return parsed
}

/** Negative when the first one's version is older. */
export function compare(a: { readonly version: string | null }, b: { readonly version: string | null }): number {
  return compareVersions(versionOf(a), versionOf(b))
}

type Versioned = { readonly version: string | null }

/** The newer by version; of equal ones the second. */
export function newer<T extends Versioned>(best: T | undefined, next: T): T {
  return best === undefined || compare(next, best) >= 0 ? next : best
}

/** The newest by version; of equal ones the last. */
export function newest<T extends Versioned>(entries: readonly T[]): T | undefined {
  return entries.reduce<T | undefined>(newer, undefined)
}

export function violation(guarantee: Guarantee | 'recording', { entity, key }: ObjectHistory, what: string): Violation {
  return { guarantee, entity, key, what, story: [] }
}

/** Fields as one short text. */
export function told(fields: Fields | null | undefined): string {
  return fields ? JSON.stringify(fields) : 'nothing'
}

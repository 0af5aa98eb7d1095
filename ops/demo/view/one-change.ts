import { compareVersions, type Version } from '../../../schemas/version.ts'
import type { RecentChange } from '../view-model.ts'

/** One change of one object, and what it became at each subscriber. */
export interface OneChangeView {
  readonly entity: string
  readonly key: string
  readonly time: string
  /** One for each subscriber, in their order. */
  readonly arrivals: readonly Arrival[]
}

export interface Arrival {
  readonly subscriber: string
  /**
   * `arrived`: as `patch` · `newer`: a newer change of the object came instead, with all that this one had · `waits`: not yet there ·
   * `none`: it takes none of the fields that changed
   */
  readonly state: 'arrived' | 'newer' | 'waits' | 'none'
  readonly patch: RecentChange | null
}

/** Which entity fields make each destination field at a subscriber, by entity. */
export type Origins = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>

export interface PatchSeen {
  readonly subscriber: string
  readonly version: Version
  readonly patch: RecentChange
}

/** How long a change stays, so that it can be read; one that somebody was asked to make stays longer. */
const KEPT_MS = 6_000
const WATCHED_KEPT_MS = 30_000
/** One that took longer was held up: where it went first it has been seen long ago. */
const FRESH_MS = 3_000
/** What is remembered, to find where a change that is chosen now has been already. */
const SEEN_MAX = 100

interface Shown {
  readonly atMs: number
  readonly watched: boolean
  readonly entity: string
  readonly key: string
  readonly version: Version
  readonly time: string
  readonly touched: Set<string>
  readonly arrivals: Map<string, { state: 'arrived' | 'newer'; patch: RecentChange | null }>
}

/**
 * Chooses one change that every subscriber takes something of, and follows it to each. Pure: no clock; what it remembers is bounded.
 * @see Origins for how it is known that a subscriber takes nothing of a change
 */
export class OneChange {
  /** By subscriber, in the order they are shown. */
  readonly #origins: ReadonlyMap<string, Origins>
  #shown: Shown | null = null
  #seen: PatchSeen[] = []

  constructor(origins: ReadonlyMap<string, Origins>) {
    this.#origins = origins
  }

  saw(seen: PatchSeen, nowMs: number): void {
    const { subscriber, version, patch } = seen
    this.#seen = [...this.#seen.slice(1 - SEEN_MAX), seen]
    const shown = this.#shown
    if (shown?.entity === patch.entity && shown.key === patch.key) {
      const order = compareVersions(version, shown.version)
      if (order < 0) return
      const isIt = order === 0
      // The newer one of a watched object is shown itself; another object's tells only that nothing is missing.
      if (isIt || !patch.watched) {
        if (!shown.arrivals.has(subscriber))
          shown.arrivals.set(subscriber, isIt ? { state: 'arrived', patch } : { state: 'newer', patch: null })
        if (isIt) this.#touch(shown.touched, subscriber, patch)
        return
      }
    }
    if (!this.#mayReplace(patch, nowMs)) return
    const touched = new Set<string>()
    this.#touch(touched, subscriber, patch)
    const takesPart = (origins: Origins) => takes(origins, patch.entity, touched)
    const isFresh = patch.latencyMs < FRESH_MS && patch.kind === 'update' && !patch.full
    const isGood = isFresh && [...this.#origins.values()].every(takesPart)
    if (patch.kind === 'delete' || (!patch.watched && !isGood)) return
    const { entity, key, time, watched } = patch
    const arrivals: Shown['arrivals'] = new Map()
    for (const { subscriber: name, version: other, patch: same } of this.#seen)
      if (same.entity === entity && same.key === key && compareVersions(other, version) === 0)
        arrivals.set(name, { state: 'arrived', patch: same })
    this.#shown = { atMs: nowMs, watched, entity, key, version, time, touched, arrivals }
  }

  view(): OneChangeView | null {
    const shown = this.#shown
    if (shown === null) return null
    const arrivals = [...this.#origins].map(([subscriber, origins]): Arrival => {
      const arrived = shown.arrivals.get(subscriber)
      if (arrived) return { subscriber, ...arrived }
      return { subscriber, state: takes(origins, shown.entity, shown.touched) ? 'waits' : 'none', patch: null }
    })
    return { entity: shown.entity, key: shown.key, time: shown.time, arrivals }
  }

  #mayReplace(patch: RecentChange, nowMs: number): boolean {
    const shown = this.#shown
    if (shown === null || patch.watched) return true
    return nowMs - shown.atMs >= (shown.watched ? WATCHED_KEPT_MS : KEPT_MS)
  }

  #touch(touched: Set<string>, subscriber: string, patch: RecentChange): void {
    const origins = this.#origins.get(subscriber)?.get(patch.entity)
    for (const { name } of patch.fields) for (const from of origins?.get(name) ?? []) touched.add(from)
  }
}

function takes(origins: Origins, entity: string, touched: ReadonlySet<string>): boolean {
  const fields = origins.get(entity)
  return fields !== undefined && [...fields.values()].some((from) => from.some((field) => touched.has(field)))
}

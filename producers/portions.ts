import type { SourceEvent } from '../connectors/source.ts'
import { LargeValue } from '../schemas/large-value.ts'
import type { HydratedEvent } from './hydrate.ts'

/** The bytes of large values that are to be read for one portion, near enough: the next rows may be larger than those before. */
const PORTION_BYTES_TARGET = 16 * 1024 * 1024
const PORTION_ROWS_MAX = 500
const GROWTH_MAX = 8

/**
 * Cuts a batch so that not all of its incomplete rows are read at once: a change of a small field in a thousand rows of 50 MB would bring 50
 * GB into memory. How many rows a portion has follows from how large those before were; it begins with one. Pure but for that.
 */
export class Portions {
  #rows = 1

  /** Looks at what hydrate made of a portion. Free of cost for one that had nothing to complete. */
  learn(portion: readonly SourceEvent[], hydrated: readonly HydratedEvent[]): void {
    if (portion === hydrated) return
    let rows = 0
    let bytes = 0
    for (const event of hydrated) {
      if (event.kind !== 'change' || event.wasRead !== true || event.change.op === 'delete') continue
      rows++
      for (const value of Object.values(event.change.after)) if (value instanceof LargeValue) bytes += value.bytes
    }
    if (rows === 0) return
    const fitting = bytes === 0 ? PORTION_ROWS_MAX : Math.floor(PORTION_BYTES_TARGET / (bytes / rows))
    this.#rows = Math.max(1, Math.min(fitting, this.#rows * GROWTH_MAX, PORTION_ROWS_MAX))
  }

  /** The events in order, in parts with at most so many incomplete ones as are allowed by then. */
  *cut(events: readonly SourceEvent[]): Generator<readonly SourceEvent[]> {
    let start = 0
    let incomplete = 0
    for (let index = 0; index < events.length; index++) {
      const event = events[index]!
      if (event.kind !== 'change' || event.missing.length === 0) continue
      if (incomplete >= this.#rows) {
        yield events.slice(start, index)
        start = index
        incomplete = 0
      }
      incomplete++
    }
    yield start === 0 ? events : events.slice(start)
  }
}

import type { IncomingRecord } from '../../../connectors/kafka/consumer.ts'
import { type OpenLetter, readLetter } from './open-letters.ts'

/**
 * Watches the topic of dead letters for what becomes of rows that are read again: decides from its records alone, whoever writes them.
 * What is newer than the entry that was replayed counts, and nothing else: the topic is read from its beginning.
 */
export class ReplayWatch {
  readonly #waiting: Map<string, OpenLetter>
  readonly #stillBad = new Map<string, OpenLetter>()
  #cleared = 0

  constructor(letters: Iterable<OpenLetter>) {
    this.#waiting = new Map()
    for (const letter of letters) this.#waiting.set(`${letter.entity}/${letter.key}`, letter)
  }

  take(record: IncomingRecord): void {
    const name = record.key?.toString() ?? ''
    const letter = this.#waiting.get(name) ?? this.#stillBad.get(name)
    if (letter === undefined || record.partition !== letter.partition || record.offset <= letter.offset) return
    this.#waiting.delete(name)
    this.#stillBad.delete(name)
    const newer = readLetter(record, name)
    if (newer === undefined) this.#cleared++
    else this.#stillBad.set(name, newer)
  }

  /** How many were published, or are gone. */
  get cleared(): number {
    return this.#cleared
  }

  /** What could not be encoded again. */
  get stillBad(): readonly OpenLetter[] {
    return [...this.#stillBad.values()]
  }

  /** How many were not heard of yet. */
  get waiting(): number {
    return this.#waiting.size
  }
}

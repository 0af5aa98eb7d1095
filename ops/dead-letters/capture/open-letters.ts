import type { IncomingRecord } from '../../../connectors/kafka/consumer.ts'
import { type CaptureDeadLetter, parseDeadLetter } from '../../../producers/capture-dead-letter.ts'

/** The most dead letters that are kept at once, and the most bytes of their keys. */
export const LETTERS_MAX = 100_000
export const LETTER_KEY_BYTES_MAX = 32 * 1024 * 1024
/** Texts that repeat are kept once, up to so many of them. */
const TEXTS_MAX = 10_000

/** What is looked for; undefined is anything. */
export interface LetterFilter {
  readonly entity?: string | undefined
  readonly key?: string | undefined
  /** A part of the reason, in whatever case. */
  readonly reason?: string | undefined
}

/** An open dead letter and where it is on its topic. */
export interface OpenLetter extends CaptureDeadLetter {
  readonly partition: number
  readonly offset: bigint
}

/** The open dead letters of a topic that match, in bounded memory: takes in its records in order. */
export class OpenLetters {
  readonly #filter: LetterFilter
  readonly #lettersMax: number
  readonly #letters = new Map<string, OpenLetter>()
  readonly #texts = new Map<string, string>()
  #keyBytes = 0
  #leftOut = 0

  constructor(filter: LetterFilter, lettersMax = LETTERS_MAX) {
    this.#filter = filter
    this.#lettersMax = lettersMax
  }

  /** How often one was left out because too many were open. */
  get leftOut(): number {
    return this.#leftOut
  }

  /** By when their rows became bad, the oldest first. */
  list(): readonly OpenLetter[] {
    return [...this.#letters.values()].sort((a, b) => (a.since < b.since ? -1 : a.since > b.since ? 1 : 0))
  }

  take(record: IncomingRecord): void {
    const name = record.key?.toString() ?? ''
    if (this.#letters.delete(name)) this.#keyBytes -= record.key!.length
    const letter = readLetter(record, name)
    if (letter === undefined || !matches(letter, this.#filter)) return
    if (this.#letters.size >= this.#lettersMax || this.#keyBytes > LETTER_KEY_BYTES_MAX) {
      this.#leftOut++
      return
    }
    this.#keyBytes += name.length
    const { source } = letter
    this.#letters.set(name, {
      ...letter,
      entity: this.#once(letter.entity),
      field: letter.field === null ? null : this.#once(letter.field),
      reason: this.#once(letter.reason),
      source: {
        ...source,
        system: this.#once(source.system),
        instance: this.#once(source.instance),
        object: this.#once(source.object),
      },
    })
  }

  /** The same text, and the same memory for it. */
  #once(text: string): string {
    const known = this.#texts.get(text)
    if (known !== undefined) return known
    if (this.#texts.size < TEXTS_MAX) this.#texts.set(text, text)
    return text
  }
}

/** @returns undefined for a tombstone, and for what has no name */
export function readLetter(record: IncomingRecord, name: string): OpenLetter | undefined {
  const slash = name.indexOf('/')
  if (record.value === null || slash < 0) return undefined
  const { partition, offset } = record
  const entity = name.slice(0, slash)
  const key = name.slice(slash + 1)
  const letter = parseDeadLetter(record.value)
  if (letter !== undefined) return { ...letter, entity, key, partition, offset }
  const micros = BigInt(record.timestampMs) * 1_000n
  const source = {
    system: '?',
    instance: '?',
    object: '?',
    position: '?',
    transaction: null,
    committedAt: micros,
    capturedAt: micros,
  }
  const version = { epoch: 0n, position: 0n, ordinal: -1 }
  const reason = 'the entry on the topic cannot be read'
  return { entity, key, version, field: null, reason, since: micros, source, partition, offset }
}

function matches(letter: OpenLetter, { entity, key, reason }: LetterFilter): boolean {
  if (entity !== undefined && letter.entity !== entity) return false
  if (key !== undefined && letter.key !== key) return false
  return reason === undefined || letter.reason.toLowerCase().includes(reason.toLowerCase())
}

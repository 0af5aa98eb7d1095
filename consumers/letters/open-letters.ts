import { type DeadLetterHead, type LetterHeaders, parseDeadLetter } from '../../schemas/dead-letter.ts'

/** The most letters that one member keeps track of. Those beyond stay on the topic, and are read again when half of these are ended. */
export const LETTERS_MAX = 200_000

/** An open dead letter, by its place on the dead-letter topic. */
export interface OpenLetter {
  readonly recordKey: string
  readonly entity: string
  /** Of the entity's topic: its owner tries the letter. */
  readonly entityPartition: number
  readonly place: { readonly partition: number; readonly offset: bigint }
  /** When it is tried again, ms since 1970; null when it is dead. */
  readonly nextTryAtMs: number | null
}

interface Tracked extends OpenLetter {
  /** A newer record of its key is being written, or was: this letter is not the newest any more. */
  outdated: boolean
}

/** A record of the dead-letter topic, as far as this is concerned. */
export interface LetterRecord {
  readonly partition: number
  readonly offset: bigint
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: LetterHeaders
}

/** The open dead letters of a subscriber, as its topic tells them: the newest of each key. Pure book-keeping. */
export class OpenLetters {
  readonly #letters = new Map<string, Tracked>()
  readonly #max: number
  #untracked = 0

  constructor(max = LETTERS_MAX) {
    this.#max = max
  }

  get size(): number {
    return this.#letters.size
  }

  /** How many were left out because there are too many. */
  get untracked(): number {
    return this.#untracked
  }

  /** Takes in the next record of the topic. */
  read({ partition, offset, key, value, headers }: LetterRecord): void {
    const recordKey = key?.toString() ?? ''
    const head = parseDeadLetter(key, value, headers)
    if (head?.partition == null) {
      this.#letters.delete(recordKey)
      return
    }
    if (!this.#letters.has(recordKey) && this.#letters.size >= this.#max) {
      this.#untracked++
      return
    }
    const nextTryAtMs = timeOf(head)
    const letter = { recordKey, entity: head.entity, entityPartition: head.partition, place: { partition, offset } }
    this.#letters.set(recordKey, { ...letter, nextTryAtMs, outdated: false })
  }

  /** This process is about to write a record of this key. */
  outdate(recordKey: string): void {
    const letter = this.#letters.get(recordKey)
    if (letter !== undefined) letter.outdated = true
  }

  /** The newest letter of a key; undefined when there is none, or its place is being taken. */
  newest(recordKey: string): OpenLetter | undefined {
    const letter = this.#letters.get(recordKey)
    return letter === undefined || letter.outdated ? undefined : letter
  }

  /** Letters whose time has come, of the partitions that are ours, at most `max`. */
  due(nowMs: number, isOurs: (entity: string, partition: number) => boolean, max: number): OpenLetter[] {
    const due: OpenLetter[] = []
    for (const letter of this.#letters.values()) {
      if (due.length >= max) break
      if (letter.outdated || letter.nextTryAtMs === null || letter.nextTryAtMs > nowMs) continue
      if (isOurs(letter.entity, letter.entityPartition)) due.push(letter)
    }
    return due
  }
}

/** A letter that says it is tried again but not when comes at once. */
function timeOf({ state, nextTryAt }: DeadLetterHead): number | null {
  return state === 'retrying' ? Date.parse(nextTryAt ?? '1970-01-01T00:00:00Z') : null
}

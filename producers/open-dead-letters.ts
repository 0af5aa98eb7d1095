import type { IncomingRecord } from '../connectors/kafka/consumer.ts'
import { boundedName } from '../schemas/key.ts'
import { compareVersions, type Version } from '../schemas/version.ts'
import { clearedVersion, parseDeadLetter } from './capture-dead-letter.ts'

/** The most keys that are kept, and the most cleared ones that are remembered. */
export const OPEN_KEYS_MAX = 100_000

interface Entry {
  readonly entity: string
  readonly version: Version
  /** Microseconds since 1970. */
  readonly since: bigint
}

/** The open dead letters of one entity. */
export interface OpenCount {
  readonly entity: string
  readonly open: number
  /** Since when the oldest is open, in microseconds since 1970. */
  readonly oldestSince: bigint
}

/** What whoever watches may ask at any time. */
export interface OpenDeadLettersView {
  counts(): readonly OpenCount[]
  /** How many dead letters came when the set was full. Their next change does not remove them; a replay does. */
  readonly untracked: number
}

/** An entry that nobody could read is older than any change. */
const UNKNOWN: Version = { epoch: 0n, position: 0n, ordinal: -1 }

/**
 * Which keys have a capture dead letter, and at which version: decides what is written to the topic of capture dead letters. One for each
 * attempt, filled from the topic; after that its only writer is this process.
 */
export class OpenDeadLetters implements OpenDeadLettersView {
  readonly #open = new Map<string, Entry>()
  readonly #cleared = new Map<string, Version>()
  readonly #keysMax: number
  #untracked = 0

  constructor(keysMax = OPEN_KEYS_MAX) {
    this.#keysMax = keysMax
  }

  get untracked(): number {
    return this.#untracked
  }

  /** Takes in a record of the topic; called for all of them, in order. */
  restore({ key, value, headers }: Pick<IncomingRecord, 'key' | 'value' | 'headers'>): void {
    const text = key?.toString() ?? ''
    const slash = text.indexOf('/')
    if (slash < 0) return
    const name = boundedName(text)
    if (value === null) {
      this.#open.delete(name)
      const version = clearedVersion(headers)
      if (version !== undefined) this.#remember(name, version)
      return
    }
    const letter = parseDeadLetter(value)
    this.#cleared.delete(name)
    this.#keep(name, {
      entity: text.slice(0, slash),
      version: letter?.version ?? UNKNOWN,
      since: letter?.since ?? 0n,
    })
  }

  /**
   * A row cannot be encoded.
   * @returns since when the key is open, or null when a newer version of it is known: then its dead letter is not to be written. That
   * is so for what a restarted stream brings again, and would otherwise never end.
   */
  made(entity: string, key: string, version: Version, committedAt: bigint): bigint | null {
    const name = boundedName(`${entity}/${key}`)
    const cleared = this.#cleared.get(name)
    if (cleared !== undefined && compareVersions(version, cleared) <= 0) return null
    const present = this.#open.get(name)
    if (present !== undefined && compareVersions(version, present.version) < 0) return null
    const since = present?.since ?? committedAt
    this.#keep(name, { entity, version, since })
    return since
  }

  /**
   * A version of a row was published, or was found to be gone.
   * @param wasRead whether it was read from the source for this: then, while entries are untracked, it may close one of them
   * @returns whether the topic has to hear of it
   */
  closes(entity: string, key: string, version: Version, wasRead: boolean): boolean {
    // Almost always: this is asked for every change.
    if (this.#open.size === 0 && this.#untracked === 0) return false
    const name = boundedName(`${entity}/${key}`)
    const present = this.#open.get(name)
    if (present === undefined) return wasRead && this.#untracked > 0
    if (compareVersions(version, present.version) < 0) return false
    this.#open.delete(name)
    return true
  }

  counts(): readonly OpenCount[] {
    const counts = new Map<string, { open: number; oldestSince: bigint }>()
    for (const { entity, since } of this.#open.values()) {
      const count = counts.get(entity)
      if (count === undefined) counts.set(entity, { open: 1, oldestSince: since })
      else {
        count.open++
        if (since < count.oldestSince) count.oldestSince = since
      }
    }
    return [...counts].map(([entity, count]) => ({ entity, ...count }))
  }

  #keep(name: string, entry: Entry): void {
    if (this.#open.size < this.#keysMax || this.#open.has(name)) this.#open.set(name, entry)
    else this.#untracked++
  }

  #remember(name: string, version: Version): void {
    this.#cleared.delete(name)
    this.#cleared.set(name, version)
    if (this.#cleared.size <= this.#keysMax) return
    for (const oldest of this.#cleared.keys()) {
      this.#cleared.delete(oldest)
      break
    }
  }
}

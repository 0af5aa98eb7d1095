import type { IncomingRecord } from '../../connectors/kafka/consumer.ts'
import { LETTER_STATES, type LetterState } from '../../schemas/dead-letter.ts'
import { boundedName } from '../../schemas/key.ts'
import { readLetter } from '../dead-letters/subscriber/letters.ts'

/** The most letters of a subscriber that are counted one by one. Beyond it only how many came is known. */
export const LETTERS_MAX = 200_000
/** The open dead letters of one entity at one subscriber that are in one state. */
export interface LetterCount {
  readonly entity: string
  readonly state: LetterState
  readonly open: number
  /** When the oldest of them failed first, ms since 1970; null when there is none. */
  readonly oldestSinceMs: number | null
}

interface Letter {
  readonly entity: string
  readonly state: LetterState
  readonly sinceMs: number
}

/** Counts a subscriber's open dead letters from its topic, read in order: of each key the newest record stands. */
export class OpenLetterCounts {
  readonly #letters = new Map<string, Letter>()
  readonly #max: number
  #untracked = 0

  constructor(max = LETTERS_MAX) {
    this.#max = max
  }

  /** How many were left out because there are too many; they may have ended since. */
  get untracked(): number {
    return this.#untracked
  }

  read(record: IncomingRecord): void {
    const name = boundedName(record.key?.toString() ?? '')
    const letter = readLetter(record)
    if (letter === undefined) {
      this.#letters.delete(name)
      return
    }
    if (!this.#letters.has(name) && this.#letters.size >= this.#max) {
      this.#untracked++
      return
    }
    this.#letters.set(name, { entity: letter.head.entity, state: letter.head.state, sinceMs: letter.sinceMs })
  }

  /** A row for each state of each of these entities, also where there is none: a series that is missing raises no alert. */
  counts(entities: readonly string[]): readonly LetterCount[] {
    const rows = new Map<string, { open: number; oldestSinceMs: number | null }>()
    for (const { entity, state, sinceMs } of this.#letters.values()) {
      const row = rows.get(`${state} ${entity}`) ?? { open: 0, oldestSinceMs: sinceMs }
      row.open++
      row.oldestSinceMs = Math.min(row.oldestSinceMs ?? sinceMs, sinceMs)
      rows.set(`${state} ${entity}`, row)
    }
    return entities.flatMap((entity) =>
      LETTER_STATES.map((state) => ({
        entity,
        state,
        ...(rows.get(`${state} ${entity}`) ?? { open: 0, oldestSinceMs: null }),
      })),
    )
  }
}

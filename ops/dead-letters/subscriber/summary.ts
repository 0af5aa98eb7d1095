import type { LetterState } from '../../../schemas/dead-letter.ts'
import type { OpenLetter } from './letters.ts'

/** Codes are a subscriber's own, and may be any number. */
const GROUPS_MAX = 1_000
const TEXTS_MAX = 10_000

/** Dead letters of one entity with the same code. */
export interface LetterGroup {
  readonly entity: string
  readonly code: string
  /** Of the oldest. */
  readonly reason: string
  readonly dead: number
  readonly retrying: number
  readonly oldestSinceMs: number
}

/** What is kept of a letter that is listed. */
export interface ListedLetter {
  readonly entity: string
  readonly key: string
  readonly hasReadableKey: boolean
  readonly code: string
  readonly state: LetterState
  readonly attempts: number
  readonly replays: number
  /** ISO 8601. */
  readonly nextTryAt: string | null
  readonly sinceMs: number
}

interface Counts {
  reason: string
  dead: number
  retrying: number
  oldestSinceMs: number
}

/** Counts letters by entity and code, and keeps the oldest: decides nothing else, and holds no more than its bounds. */
export class LetterSummary {
  readonly #limit: number
  readonly #groups = new Map<string, Counts & { readonly entity: string; readonly code: string }>()
  readonly #texts = new Map<string, string>()
  #listed: ListedLetter[] = []
  #dead = 0
  #retrying = 0
  #ungrouped = 0

  /** @param limit how many of the oldest are kept */
  constructor(limit: number) {
    this.#limit = limit
  }

  get dead(): number {
    return this.#dead
  }

  get retrying(): number {
    return this.#retrying
  }

  /** How many are in no group, because there were too many codes. */
  get ungrouped(): number {
    return this.#ungrouped
  }

  add({ head, sinceMs }: OpenLetter): void {
    const { entity, key, hasReadableKey, code, state, attempts, replays, nextTryAt } = head
    if (state === 'dead') this.#dead++
    else this.#retrying++
    this.#count(head, sinceMs)
    if (this.#limit === 0) return
    this.#listed.push({
      entity: this.#once(entity),
      key,
      hasReadableKey,
      code: this.#once(code),
      state,
      attempts,
      replays,
      nextTryAt,
      sinceMs,
    })
    if (this.#listed.length >= 2 * this.#limit) this.#listed = oldest(this.#listed, this.#limit)
  }

  /** The largest first. */
  groups(): readonly LetterGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.dead + b.retrying - (a.dead + a.retrying))
  }

  /** The oldest first. */
  listed(): readonly ListedLetter[] {
    return oldest(this.#listed, this.#limit)
  }

  #count({ entity, code, state, reason }: OpenLetter['head'], sinceMs: number): void {
    const name = `${entity}/${code}`
    let group = this.#groups.get(name)
    if (group === undefined) {
      if (this.#groups.size >= GROUPS_MAX) {
        this.#ungrouped++
        return
      }
      group = { entity, code, reason, dead: 0, retrying: 0, oldestSinceMs: sinceMs }
      this.#groups.set(name, group)
    }
    group[state]++
    if (sinceMs < group.oldestSinceMs) {
      group.oldestSinceMs = sinceMs
      group.reason = reason
    }
  }

  /** The same text, and the same memory for it. */
  #once(text: string): string {
    const known = this.#texts.get(text)
    if (known !== undefined) return known
    if (this.#texts.size < TEXTS_MAX) this.#texts.set(text, text)
    return text
  }
}

function oldest(letters: readonly ListedLetter[], limit: number): ListedLetter[] {
  return [...letters].sort((a, b) => a.sinceMs - b.sinceMs).slice(0, limit)
}

import type {
  CommandAnswer,
  CommandResult,
  SubscriberCommand,
  UnreadableMessage,
} from '../../../schemas/subscriber-command.ts'

/** How many of those that failed are named. */
export const FAILURES_MAX = 100
/** Codes are a subscriber's own, and may be any number. */
const CODES_MAX = 1_000
const OTHER_CODES = 'others'

export interface FailedLetter {
  readonly entity: string
  readonly key: string
  readonly hasReadableKey: boolean
  readonly code: string
}

/** What became of commands, so far. Plain JSON. */
export interface Tally {
  readonly sent: number
  readonly results: Readonly<Record<CommandResult, number>>
  /** Those that failed, by code. */
  readonly codes: Readonly<Record<string, number>>
  /** At most {@link FAILURES_MAX} of them. */
  readonly failures: readonly FailedLetter[]
}

type Asked = Pick<FailedLetter, 'entity' | 'key' | 'hasReadableKey'>

/** The commands that wait for an answer, and what became of the others. Decides from the messages alone. */
export class Outstanding {
  readonly #waiting = new Map<string, Asked>()
  readonly #results: Record<CommandResult, number> = { applied: 0, gone: 0, failed: 0, discarded: 0, resynced: 0 }
  readonly #codes = new Map<string, number>()
  readonly #failures: FailedLetter[] = []
  #sent = 0

  get waiting(): number {
    return this.#waiting.size
  }

  /** Whether the record with this key can be an answer: most on the topic are not, and need not be read. */
  awaits(recordKey: string): boolean {
    return this.#waiting.has(recordKey)
  }

  /** @param isAwaited whether its answer is of interest */
  sent({ id }: SubscriberCommand, letter: Asked, isAwaited: boolean): void {
    this.#sent++
    if (isAwaited) this.#waiting.set(id, letter)
  }

  take(message: SubscriberCommand | CommandAnswer | UnreadableMessage | null): void {
    if (message?.kind !== 'done') return
    const letter = this.#waiting.get(message.id)
    if (letter === undefined) return
    this.#waiting.delete(message.id)
    this.#results[message.result]++
    if (message.result !== 'failed') return
    const code = message.code ?? 'unknown'
    const counted = this.#codes.has(code) || this.#codes.size < CODES_MAX ? code : OTHER_CODES
    this.#codes.set(counted, (this.#codes.get(counted) ?? 0) + 1)
    const { entity, key, hasReadableKey } = letter
    if (this.#failures.length < FAILURES_MAX) this.#failures.push({ entity, key, hasReadableKey, code })
  }

  tally(): Tally {
    const codes = Object.fromEntries([...this.#codes].sort(([, a], [, b]) => b - a))
    return { sent: this.#sent, results: this.#results, codes, failures: this.#failures }
  }
}

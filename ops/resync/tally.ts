import type { CommandAnswer, ResyncCommand, UnreadableMessage } from '../../schemas/subscriber-command.ts'

/** How far a resync is, over all partitions that were asked for. */
export interface ResyncNews {
  readonly partitions: number
  readonly answered: number
  /** From 0 to 1; partitions that have said nothing yet count as not begun. */
  readonly done: number
  /** Keys that were sent, as far as partitions are done. */
  readonly keys: number
}

export interface FailedPartition {
  readonly entity: string
  readonly partition: number
  readonly code: string
}

/** What became of the commands of a resync, so far. Decides from the messages alone. */
export class ResyncTally {
  readonly #waiting: Map<string, ResyncCommand>
  readonly #shares = new Map<string, number>()
  readonly #partitions: number
  readonly failed: FailedPartition[] = []
  #keys = 0

  constructor(commands: readonly ResyncCommand[]) {
    this.#waiting = new Map(commands.map((command) => [command.id, command]))
    this.#partitions = commands.length
  }

  /** The commands that are not answered. */
  get waiting(): readonly ResyncCommand[] {
    return [...this.#waiting.values()]
  }

  /** @returns whether it told something new of one of our commands */
  take(message: CommandAnswer | UnreadableMessage | { readonly kind: string } | null): boolean {
    if (message === null || !('id' in message)) return false
    const command = this.#waiting.get(message.id)
    if (command === undefined) return false
    if (message.kind === 'progress') {
      const share = message.of === 0 ? 0 : Math.min(1, message.done / message.of)
      const isNews = share !== this.#shares.get(message.id)
      this.#shares.set(message.id, share)
      return isNews
    }
    if (message.kind !== 'done') return false
    this.#waiting.delete(message.id)
    this.#shares.set(message.id, 1)
    this.#keys += message.records
    const { entity, partition } = command
    if (message.result === 'failed') this.failed.push({ entity, partition, code: message.code ?? 'unknown' })
    return true
  }

  news(): ResyncNews {
    let done = 0
    for (const share of this.#shares.values()) done += share
    return {
      partitions: this.#partitions,
      answered: this.#partitions - this.#waiting.size,
      done: this.#partitions === 0 ? 1 : done / this.#partitions,
      keys: this.#keys,
    }
  }
}

import type { IncomingRecord } from '../../connectors/kafka/consumer.ts'
import { parseMessage, type SubscriberCommand } from '../../schemas/subscriber-command.ts'

/** The most commands that wait for their owner. Others are read again when half of these are answered. */
export const COMMANDS_MAX = 100_000

/** The commands of a subscriber that nobody has answered, as their topic tells them. Pure book-keeping. */
export class OpenCommands {
  readonly #open = new Map<string, SubscriberCommand>()
  readonly #max: number
  #leftOut = 0

  constructor(max = COMMANDS_MAX) {
    this.#max = max
  }

  /** How many were left out because there are too many. */
  get leftOut(): number {
    return this.#leftOut
  }

  get size(): number {
    return this.#open.size
  }

  /**
   * Takes in the next record of the topic.
   * @returns why it cannot be read; null when it can
   */
  read({ key, value }: Pick<IncomingRecord, 'key' | 'value'>): string | null {
    const message = parseMessage(key, value)
    if (message === null) return null
    switch (message.kind) {
      case 'progress':
        return null
      case 'unreadable':
        return message.reason
      case 'done':
        this.#open.delete(message.id)
        return null
      default:
        if (this.#open.size < this.#max || this.#open.has(message.id)) this.#open.set(message.id, message)
        else this.#leftOut++
        return null
    }
  }

  /** Those of partitions that are ours, in order of arrival, at most `max`. */
  ours(isOurs: (entity: string, partition: number) => boolean, max: number): SubscriberCommand[] {
    const ours: SubscriberCommand[] = []
    for (const command of this.#open.values()) {
      if (ours.length >= max) break
      if (isOurs(command.entity, command.partition)) ours.push(command)
    }
    return ours
  }

  /** It was answered, and must not be carried out again before the topic says so. */
  answered(id: string): void {
    this.#open.delete(id)
  }
}

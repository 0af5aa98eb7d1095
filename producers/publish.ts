import type { Producer } from '../connectors/kafka/producer.ts'
import type { QueueItem } from './encode.ts'
import { planSend, type SendPlan } from './settle.ts'

/** The most records and bytes of one send, and of what waits for its turn. */
export const SEND_RECORDS_MAX = 5_000
export const SEND_BYTES_MAX = 2 * 1024 * 1024
/** Two sends ahead keep the broker busy; what waits longer outlives two collections and costs memory and time. */
export const QUEUE_BYTES_MAX = 4 * 1024 * 1024
export const QUEUE_ITEMS_MAX = 50_000

/** The bounded queue between encode and publish. One producer of items, one consumer. */
export class PublishQueue {
  #items: QueueItem[] = []
  #head = 0
  #bytes = 0
  #ended = false
  #failure: Error | null = null
  #wake: (() => void)[] = []

  /** Adds items; resolves when the queue has room for more. Rejects when publishing has failed. */
  async push(items: readonly QueueItem[]): Promise<void> {
    for (const item of items) {
      this.#items.push(item)
      if (item.kind !== 'settle') this.#bytes += item.bytes
    }
    this.#notify()
    while (this.#bytes > QUEUE_BYTES_MAX || this.#items.length - this.#head > QUEUE_ITEMS_MAX) {
      if (this.#failure) throw this.#failure
      await this.#changed()
    }
    if (this.#failure) throw this.#failure
  }

  /** Waits for items and takes the next send from the front; null when the queue has ended and is empty. */
  async take(): Promise<SendPlan | null> {
    while (this.#head === this.#items.length) {
      if (this.#ended) return null
      await this.#changed()
    }
    const plan = planSend(this.#waiting(), SEND_RECORDS_MAX, SEND_BYTES_MAX)
    this.#head += plan.items
    this.#bytes -= plan.bytes
    if (this.#head > QUEUE_ITEMS_MAX || this.#head === this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    this.#notify()
    return plan
  }

  /** No more items come; {@link take} empties the queue and then returns null. */
  end(): void {
    this.#ended = true
    this.#notify()
  }

  /** Publishing failed: whoever pushes must stop. */
  fail(error: Error): void {
    this.#failure = error
    this.#notify()
  }

  *#waiting(): Iterable<QueueItem> {
    for (let index = this.#head; index < this.#items.length; index++) yield this.#items[index]!
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve))
  }

  #notify(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }
}

/**
 * Publishes the queue to its end, one send at a time; `settled` is called after Kafka has acknowledged each. Connects when there is
 * something to send, and not before: to connect is to replace the former writer, and only who has the source may.
 */
export async function publish(
  queue: PublishQueue,
  producer: Producer,
  settled: (plan: SendPlan, sendMs: number) => void,
): Promise<void> {
  let connected = false
  try {
    for (let plan = await queue.take(); plan !== null; plan = await queue.take()) {
      const startedAt = performance.now()
      if (plan.records.length > 0) {
        if (!connected) await producer.connect()
        connected = true
        await producer.send(plan.records)
      }
      settled(plan, performance.now() - startedAt)
    }
  } catch (error) {
    queue.fail(error as Error)
    throw error
  }
}

import type { OutgoingRecord, Producer } from '../connectors/kafka/producer.ts'
import type { QueueItem } from './encode.ts'
import { planSend, type SendPlan, type Settled } from './settle.ts'

/** The most records and bytes of one send, and of what waits for its turn. */
export const SEND_RECORDS_MAX = 5_000
export const SEND_BYTES_MAX = 2 * 1024 * 1024
/** Two sends ahead keep the broker busy; what waits longer outlives two collections and costs memory and time. */
export const QUEUE_BYTES_MAX = 4 * 1024 * 1024
export const QUEUE_ITEMS_MAX = 50_000
/** What a record without a value counts for. */
const RECORD_BYTES = 100
/** How often a position is stored, at most: what the source is told to forget is what was stored. */
const STORE_INTERVAL_MS = 1_000
/**
 * Sends start at least so far apart. A change that comes alone goes at once; under a steady rate a send takes what came meanwhile, as each
 * one is a request to the broker, and then one of every subscriber to its destination.
 */
const SEND_INTERVAL_MS = 5

/** The bounded queue between encode and publish. One producer of items, one consumer. */
export class PublishQueue {
  #items: QueueItem[] = []
  #head = 0
  #bytes = 0
  #ended = false
  #failure: Error | null = null
  /** Whether all that was taken has been sent, and there is nothing more to take. */
  #drained = true
  #wake: (() => void)[] = []

  /** Adds items; resolves when the queue has room for more. Rejects when publishing has failed. */
  async push(items: readonly QueueItem[]): Promise<void> {
    for (const item of items) {
      this.#drained = false
      this.#items.push(item)
      if ('bytes' in item) this.#bytes += item.bytes
    }
    this.#notify()
    while (this.#bytes > QUEUE_BYTES_MAX || this.#items.length - this.#head > QUEUE_ITEMS_MAX) {
      if (this.#failure) throw this.#failure
      await this.#changed(null)
    }
    if (this.#failure) throw this.#failure
  }

  /**
   * Waits for items and takes the next send from the front; to ask is to say that what was taken before is sent.
   * @param waitMs then it returns an empty plan
   * @returns null when the queue has ended and is empty
   */
  async take(waitMs: number | null): Promise<SendPlan | null> {
    const deadline = waitMs === null ? null : performance.now() + waitMs
    while (this.#head === this.#items.length) {
      this.#drained = true
      this.#notify()
      if (this.#ended) return null
      const leftMs = deadline === null ? null : deadline - performance.now()
      if (leftMs !== null && leftMs <= 0) break
      await this.#changed(leftMs)
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

  /** Adds records that are no change, and resolves once everything pushed until now is sent. Rejects when publishing has failed. */
  async flush(records: readonly OutgoingRecord[]): Promise<void> {
    await this.push(records.map((record) => ({ kind: 'record', record, bytes: RECORD_BYTES, committedAt: null })))
    while (!this.#drained) {
      if (this.#failure) throw this.#failure
      await this.#changed(null)
    }
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

  #changed(waitMs: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = waitMs === null ? undefined : setTimeout(resolve, waitMs)
      this.#wake.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #notify(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }
}

export interface PublishOptions {
  readonly producer: Producer
  /** Throws when another process may have the source by now. */
  readonly requireHeld: () => Promise<void>
  /** The record that stores a position. */
  readonly positionRecord: (settled: Settled) => OutgoingRecord
  /** Called after each send that Kafka acknowledged. */
  readonly onSent: (plan: SendPlan, sendMs: number) => void
  /** Everything before the position is durable, and so is the position itself. */
  readonly onSettled: (position: bigint) => void
}

/**
 * Publishes the queue to its end, one send at a time. Connects when there is something to send, and not before: to connect is to replace
 * the former writer, and only who has the source may. Who was frozen on the way there may have lost it to another, and has replaced that one:
 * so the source is asked once more. Whoever takes it after that connects later, and replaces us.
 */
export async function publish(queue: PublishQueue, options: PublishOptions): Promise<void> {
  const { producer } = options
  let connected = false
  let unstored: Settled | null = null
  let storeAtMs = 0

  const send = async (records: readonly OutgoingRecord[]) => {
    if (!connected) {
      await producer.connect()
      await options.requireHeld()
      connected = true
    }
    await producer.send(records)
  }
  const store = async () => {
    if (unstored === null) return
    await send([options.positionRecord(unstored)])
    options.onSettled(unstored.position)
    unstored = null
    storeAtMs = performance.now() + STORE_INTERVAL_MS
  }

  const rest = async (ms: number) => {
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
  }

  try {
    for (;;) {
      const plan = await queue.take(unstored === null ? null : Math.max(0, storeAtMs - performance.now()))
      if (plan === null) break
      const startedAt = performance.now()
      if (plan.records.length > 0) {
        await send(plan.records)
        options.onSent(plan, performance.now() - startedAt)
      }
      unstored = plan.settles ?? unstored
      if (plan.stores || performance.now() >= storeAtMs) await store()
      await rest(startedAt + SEND_INTERVAL_MS - performance.now())
    }
    await store()
  } catch (error) {
    queue.fail(error as Error)
    throw error
  }
}

import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { partitionOf } from '../../../connectors/kafka/murmur2.ts'
import { createProducer, type OutgoingRecord } from '../../../connectors/kafka/producer.ts'
import { pollPatiently, type TopicTail, tailTopic } from '../../../connectors/kafka/tail-topic.ts'
import { discardedRecord } from '../../../consumers/letters/dead-letter.ts'
import { formatMessage, parseMessage, type SubscriberCommand } from '../../../schemas/subscriber-command.ts'
import { commandsTopic } from '../../../schemas/topics.ts'
import type { DeclaredEntity } from '../../declaration/declaration.ts'
import type { Environment } from '../../process/environment.ts'
import type { Subscriber } from '../holder.ts'
import type { OpenLetter } from './letters.ts'
import { Outstanding, type Tally } from './outstanding.ts'
import { Pace } from './pace.ts'

/** How many commands wait for their answers at once. */
export const WINDOW = 1_000
const SEND_MAX = 200
const POLL_MS = 100

export type Order = { readonly kind: 'replay' } | { readonly kind: 'discard'; readonly reason: string }

export interface OrderOptions {
  /** Infinity for as fast as the answers come. */
  readonly perSecond: number
  readonly wait: boolean
  /** It gives up once no answer came for so long. */
  readonly quietMsMax: number
  readonly onProgress: (tally: Tally) => void
}

export interface OrderResult extends Tally {
  /** Commands that were not answered in time. They stay on their topic. */
  readonly unanswered: number
  /** Letters whose entity the subscriber does not take any more: nobody owns their keys, so they can only be discarded. */
  readonly unowned: number
}

/**
 * Has the owners of the keys carry out an order for each letter: one command a letter, at most {@link WINDOW} of them unanswered.
 * A letter of an entity that the subscriber does not take any more has no owner: a discard of it is carried out here.
 * @throws TributaryError `topic-missing`, `kafka-unreachable`, `publish-failed`: run it again, what was carried out is `gone` by then
 */
export async function carryOut(
  { declaration, kafka }: Environment,
  subscriber: Subscriber,
  order: Order,
  batches: AsyncIterable<readonly OpenLetter[]>,
  options: OrderOptions,
  signal: AbortSignal,
): Promise<OrderResult> {
  const { name: prefix } = declaration
  const topic = commandsTopic(prefix, subscriber.name)
  const owned = new Map(subscriber.mappings.map(({ entity }) => [entity.name, entity as DeclaredEntity]))
  const outstanding = new Outstanding()
  const tail = await tailTopic(kafka, declaration.kafka.brokers, topic, 'end')
  const producer = createProducer(kafka)
  let unowned = 0
  try {
    await producer.connect()
    const ear = new Ear(tail, outstanding, options, signal)
    const pace = new Pace(options.perSecond, performance.now())
    sending: for await (const letters of batches) {
      for (let at = 0; at < letters.length; ) {
        const room = Math.min(SEND_MAX, WINDOW - outstanding.waiting, letters.length - at)
        const count = room === 0 ? 0 : pace.take(room, performance.now())
        if (count === 0) {
          if (!(await ear.listen())) break sending
          continue
        }
        const records: OutgoingRecord[] = []
        for (const letter of letters.slice(at, at + count)) {
          const entity = owned.get(letter.head.entity)
          if (entity !== undefined) {
            const command = commandFor(order, letter, entity)
            outstanding.sent(command, letter.head, options.wait)
            records.push({ topic, ...formatMessage(command), headers: {} })
          } else {
            unowned++
            if (order.kind === 'discard')
              records.push(
                discardedRecord(prefix, subscriber.name, `${letter.head.entity}/${letter.head.key}`, order.reason),
              )
          }
        }
        if (records.length > 0) await producer.send(records)
        ear.sent()
        at += count
      }
    }
    while (outstanding.waiting > 0 && (await ear.listen()));
  } finally {
    await producer.close()
    await tail.close()
  }
  return { ...outstanding.tally(), unanswered: outstanding.waiting, unowned }
}

/** Listens for answers, and says when it has heard none for too long. */
class Ear {
  readonly #tail: TopicTail
  readonly #outstanding: Outstanding
  readonly #options: OrderOptions
  readonly #signal: AbortSignal
  #heardMs = performance.now()
  #wasIdle = true

  constructor(tail: TopicTail, outstanding: Outstanding, options: OrderOptions, signal: AbortSignal) {
    this.#tail = tail
    this.#outstanding = outstanding
    this.#options = options
    this.#signal = signal
  }

  /** Commands were sent: when none waited before, the time that is waited for an answer begins now. */
  sent(): void {
    if (this.#wasIdle) this.#heardMs = performance.now()
    this.#wasIdle = this.#outstanding.waiting === 0
    this.#options.onProgress(this.#outstanding.tally())
  }

  /** @returns false once nothing was heard for too long */
  async listen(): Promise<boolean> {
    const outstanding = this.#outstanding
    const before = outstanding.waiting
    if (before > 0)
      await pollPatiently(
        this.#tail,
        (record) => {
          if (outstanding.awaits(record.key?.toString() ?? '')) outstanding.take(parseMessage(record.key, record.value))
        },
        this.#signal,
      )
    this.#wasIdle = outstanding.waiting === 0
    if (outstanding.waiting < before) {
      this.#heardMs = performance.now()
      this.#options.onProgress(outstanding.tally())
      return true
    }
    if (before > 0 && performance.now() - this.#heardMs > this.#options.quietMsMax) return false
    await wait(POLL_MS, undefined, { signal: this.#signal })
    return true
  }
}

function commandFor(order: Order, { head, place }: OpenLetter, entity: DeclaredEntity): SubscriberCommand {
  return {
    ...order,
    id: randomUUID(),
    entity: head.entity,
    key: head.key,
    partition: head.partition ?? partitionOf(head.key, entity.partitions),
    letter: place,
    at: new Date().toISOString(),
  }
}

import type { IncomingRecord } from '../../connectors/kafka/consumer.ts'
import type { OutgoingRecord } from '../../connectors/kafka/producer.ts'
import { TributaryError } from '../../schemas/errors.ts'

/** A topic of one partition, and everything that ever was on it. */
export class Topic {
  readonly name: string
  /** What compaction has left. */
  records: IncomingRecord[] = []
  readonly history: IncomingRecord[] = []
  /** The epoch of the last producer that wrote to it. */
  writtenBy = 0

  constructor(name: string) {
    this.name = name
  }

  get end(): bigint {
    return BigInt(this.history.length)
  }

  append({ key, value, headers }: OutgoingRecord): void {
    const record = {
      topic: this.name,
      partition: 0,
      offset: this.end,
      key: Buffer.from(key),
      value,
      headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
      timestampMs: Date.now(),
    }
    this.history.push(record)
    this.records.push(record)
  }

  /** Leaves the last record of each key, up to a place. */
  compact(before: bigint): void {
    const last = new Map<string, bigint>()
    for (const { offset, key } of this.records) if (offset < before) last.set(`${key}`, offset)
    this.records = this.records.filter(({ offset, key }) => offset >= before || last.get(`${key}`) === offset)
  }

  /** The last record of each key. */
  last(): Map<string, IncomingRecord> {
    return new Map(this.records.map((record) => [`${record.key}`, record]))
  }
}

/** Kafka, as far as a writer of one name sees it: who connects replaces every earlier one, partition by partition. */
export class Broker {
  readonly #topics = new Map<string, Topic>()
  readonly #noFence: boolean
  #epoch = 0

  constructor(noFence: boolean) {
    this.#noFence = noFence
  }

  topic(name: string): Topic {
    let topic = this.#topics.get(name)
    if (!topic) {
      topic = new Topic(name)
      this.#topics.set(name, topic)
    }
    return topic
  }

  /** @returns the epoch of the new producer */
  connect(): number {
    return ++this.#epoch
  }

  /**
   * Appends to each topic where the producer has not been replaced.
   * @throws TributaryError `publish-failed` when it was, at any of them
   */
  append(epoch: number, records: readonly OutgoingRecord[]): void {
    const refused = new Set<string>()
    for (const record of records) {
      const topic = this.topic(record.topic)
      if (epoch < topic.writtenBy && !this.#noFence) {
        refused.add(topic.name)
        continue
      }
      topic.writtenBy = Math.max(topic.writtenBy, epoch)
      topic.append(record)
    }
    if (refused.size > 0)
      throw new TributaryError('publish-failed', `another producer writes to ${[...refused].join(' and ')}`)
  }
}

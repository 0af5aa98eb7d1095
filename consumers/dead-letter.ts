import type { OutgoingRecord, Producer } from '../connectors/kafka/producer.ts'
import { deadLetterTopic } from '../schemas/topics.ts'

/** A record that is given up until someone replays or discards it. */
export interface DeadLetter {
  readonly entity: string
  /** null when the record has no readable key. */
  readonly key: string | null
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | string | undefined>>
  readonly stage: 'decode' | 'apply'
  readonly code: string
  /** Without values of the record. */
  readonly reason: string
  readonly attempts: number
  readonly failedAtMs: number
}

const HEADER_BYTES_MAX = 1_024

/**
 * The record of a dead letter: its bytes as they were (a delete has none, so it is empty, not null), keyed so that there is one entry a
 * key. Headers as Kafka Connect writes them stand beside our own, so that existing tools read it.
 */
export function deadLetterRecord(prefix: string, subscriber: string, letter: DeadLetter): OutgoingRecord {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(letter.headers)) {
    const text = value?.toString()
    if (text !== undefined && text.length <= HEADER_BYTES_MAX) headers[name] = text
  }
  return {
    topic: deadLetterTopic(prefix, subscriber),
    key: deadLetterKey(letter),
    value: letter.value ?? Buffer.alloc(0),
    headers: {
      ...headers,
      '__connect.errors.topic': letter.topic,
      '__connect.errors.partition': String(letter.partition),
      '__connect.errors.offset': String(letter.offset),
      '__connect.errors.stage': letter.stage === 'decode' ? 'VALUE_CONVERTER' : 'TASK_PUT',
      '__connect.errors.exception.class.name': letter.code,
      '__connect.errors.exception.message': letter.reason.slice(0, HEADER_BYTES_MAX),
      'tributary.subscriber': subscriber,
      'tributary.code': letter.code,
      'tributary.attempts': String(letter.attempts),
      'tributary.first-failed-at': new Date(letter.failedAtMs).toISOString(),
      'tributary.replays': '0',
    },
  }
}

/** The tombstone that ends a key's dead letter, once a later change of the key has succeeded. */
export function resolvedRecord(prefix: string, subscriber: string, entity: string, key: string): OutgoingRecord {
  return { topic: deadLetterTopic(prefix, subscriber), key: `${entity}/${key}`, value: null, headers: {} }
}

function deadLetterKey(letter: DeadLetter): string {
  return letter.key === null
    ? `${letter.entity}/@${letter.partition}-${letter.offset}`
    : `${letter.entity}/${letter.key}`
}

/** Writes to the dead-letter topic, one send at a time, with a new producer after a failure. */
export class DeadLetterWriter {
  readonly #open: () => Producer
  #producer: Producer | null = null
  #last: Promise<void> = Promise.resolve()

  constructor(open: () => Producer) {
    this.#open = open
  }

  /**
   * Resolves when Kafka holds the records.
   * @throws TributaryError `publish-failed`, `kafka-unreachable`: try again; a repeat replaces the entry
   */
  write(records: readonly OutgoingRecord[]): Promise<void> {
    const turn = this.#last.then(() => this.#send(records))
    this.#last = turn.catch(() => {})
    return turn
  }

  async close(): Promise<void> {
    await this.#last
    await this.#producer?.close()
    this.#producer = null
  }

  async #send(records: readonly OutgoingRecord[]): Promise<void> {
    if (this.#producer === null) {
      const producer = this.#open()
      await producer.connect()
      this.#producer = producer
    }
    try {
      await this.#producer.send(records)
    } catch (error) {
      const spent = this.#producer
      this.#producer = null
      await spent.close().catch(() => {})
      throw error
    }
  }
}

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

/** The most records of one send. A record is at most a few MB, and rejections of large ones are rare. */
const SEND_RECORDS_MAX = 500

interface Write {
  readonly records: readonly OutgoingRecord[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Writes to the dead-letter topic: one send at a time, with whatever waits by then, and a new producer after a failure. What waits is
 * bounded by the records that are under way.
 */
export class DeadLetterWriter {
  readonly #open: () => Producer
  #producer: Producer | null = null
  #waiting: Write[] = []
  #sending: Promise<void> | null = null

  constructor(open: () => Producer) {
    this.#open = open
  }

  /**
   * Resolves when Kafka holds the records.
   * @throws TributaryError `publish-failed`, `kafka-unreachable`: try again; a repeat replaces the entry
   */
  write(records: readonly OutgoingRecord[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ records, resolve, reject })
      this.#sending ??= this.#sendAll().finally(() => {
        this.#sending = null
      })
    })
  }

  async close(): Promise<void> {
    await this.#sending
    await this.#producer?.close()
    this.#producer = null
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const writes = this.#take()
      try {
        await this.#send(writes.flatMap(({ records }) => records))
        for (const { resolve } of writes) resolve()
      } catch (error) {
        for (const { reject } of writes) reject(error)
      }
    }
  }

  #take(): Write[] {
    let records = 0
    let count = 0
    for (const write of this.#waiting) {
      if (count > 0 && records + write.records.length > SEND_RECORDS_MAX) break
      records += write.records.length
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #send(records: readonly OutgoingRecord[]): Promise<void> {
    if (this.#producer === null) {
      const producer = this.#open()
      await producer.connect()
      this.#producer = producer
    }
    const producer = this.#producer
    try {
      await producer.send(records)
    } catch (error) {
      this.#producer = null
      // It is spent whatever closing it says; the failure of the send is what counts.
      await producer.close().catch(() => {})
      throw error
    }
  }
}

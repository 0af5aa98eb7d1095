import type { IncomingRecord } from '../../connectors/kafka/consumer.ts'
import type { OutgoingRecord, Producer } from '../../connectors/kafka/producer.ts'
import {
  CONNECT_STAGES,
  LETTER_END_HEADERS,
  LETTER_HEADER_CHARACTERS_MAX,
  LETTER_HEADERS,
  type LetterStage,
  letterKey,
} from '../../schemas/dead-letter.ts'
import { deadLetterTopic } from '../../schemas/topics.ts'

/** A record that is given up. */
export interface DeadLetter {
  readonly entity: string
  /** null when the record has no readable key. */
  readonly key: string | null
  /** Where it stands in its entity's topic. */
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | string | undefined>>
  readonly stage: LetterStage
  readonly code: string
  /** Without values of the record. */
  readonly reason: string
  readonly attempts: number
  readonly firstFailedAtMs: number
  /** How often someone had it replayed. */
  readonly replays: number
  /** When it is tried again by itself; null when it is dead until someone replays or discards it. */
  readonly nextTryAtMs: number | null
}

const OURS = new Set<string>(Object.values(LETTER_HEADERS))

/**
 * The record of a dead letter: its bytes as they were (a delete has none, so it is empty, not null), keyed so that there is one entry a
 * key. Headers as Kafka Connect writes them stand beside our own, so that existing tools read it.
 */
export function deadLetterRecord(prefix: string, subscriber: string, letter: DeadLetter): OutgoingRecord {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(letter.headers)) {
    const text = value?.toString()
    if (text !== undefined && text.length <= LETTER_HEADER_CHARACTERS_MAX && !OURS.has(name)) headers[name] = text
  }
  const { nextTryAtMs } = letter
  return {
    topic: deadLetterTopic(prefix, subscriber),
    key: letterKey(letter.entity, letter.key, letter.partition, letter.offset),
    value: letter.value ?? Buffer.alloc(0),
    headers: {
      ...headers,
      [LETTER_HEADERS.topic]: letter.topic,
      [LETTER_HEADERS.partition]: String(letter.partition),
      [LETTER_HEADERS.offset]: String(letter.offset),
      [LETTER_HEADERS.stage]: CONNECT_STAGES[letter.stage],
      [LETTER_HEADERS.exceptionClass]: letter.code,
      [LETTER_HEADERS.exceptionMessage]: letter.reason.slice(0, LETTER_HEADER_CHARACTERS_MAX),
      [LETTER_HEADERS.subscriber]: subscriber,
      [LETTER_HEADERS.code]: letter.code,
      [LETTER_HEADERS.attempts]: String(letter.attempts),
      [LETTER_HEADERS.firstFailedAt]: new Date(letter.firstFailedAtMs).toISOString(),
      [LETTER_HEADERS.replays]: String(letter.replays),
      [LETTER_HEADERS.state]: nextTryAtMs === null ? 'dead' : 'retrying',
      ...(nextTryAtMs === null ? {} : { [LETTER_HEADERS.nextTryAt]: new Date(nextTryAtMs).toISOString() }),
    },
  }
}

/** Of a record that has no lane, as it has no readable key or no version. */
export function unreadableLetter(entity: string, record: IncomingRecord, nowMs: number): DeadLetter {
  const { topic, partition, offset, value, headers } = record
  return {
    entity,
    key: null,
    topic,
    partition,
    offset,
    value,
    headers,
    stage: 'decode',
    code: 'record-corrupt',
    reason: 'the record has no key or no version that can be read',
    attempts: 1,
    firstFailedAtMs: nowMs,
    replays: 0,
    nextTryAtMs: null,
  }
}

/** The tombstone that ends a key's dead letter, once a later change of the key has succeeded, or a replay. */
export function resolvedRecord(prefix: string, subscriber: string, entity: string, key: string): OutgoingRecord {
  return endedRecord(prefix, subscriber, `${entity}/${key}`, { [LETTER_END_HEADERS.end]: 'resolved' })
}

/** The tombstone of a dead letter that a person wants no more. */
export function discardedRecord(prefix: string, subscriber: string, recordKey: string, reason: string): OutgoingRecord {
  return endedRecord(prefix, subscriber, recordKey, {
    [LETTER_END_HEADERS.end]: 'discarded',
    [LETTER_END_HEADERS.reason]: reason,
  })
}

function endedRecord(prefix: string, subscriber: string, key: string, headers: Record<string, string>): OutgoingRecord {
  return { topic: deadLetterTopic(prefix, subscriber), key, value: null, headers }
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
  readonly #onWrite: (recordKey: string) => void
  #producer: Producer | null = null
  #waiting: Write[] = []
  #sending: Promise<void> | null = null

  /** @param onWrite called when a record is about to be written: what is known of its key's letter is not the newest any more */
  constructor(open: () => Producer, onWrite: (recordKey: string) => void = () => {}) {
    this.#open = open
    this.#onWrite = onWrite
  }

  /**
   * Resolves when Kafka holds the records.
   * @throws TributaryError `publish-failed`, `kafka-unreachable`: try again; a repeat replaces the entry
   */
  write(records: readonly OutgoingRecord[]): Promise<void> {
    for (const { key } of records) this.#onWrite(key)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ records, resolve, reject })
      this.#start()
    })
  }

  #start(): void {
    if (this.#sending !== null || this.#waiting.length === 0) return
    this.#sending = this.#sendAll().finally(() => {
      this.#sending = null
      // Whoever waited for the last of them may have written again before this.
      this.#start()
    })
  }

  async close(): Promise<void> {
    while (this.#sending !== null) await this.#sending
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

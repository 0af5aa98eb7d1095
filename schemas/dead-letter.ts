/**
 * The records of a subscriber's dead-letter topic: the refused record's bytes (none for a delete) and headers, and these beside them.
 * Those that begin with `__connect.` are as Kafka Connect writes them, so that existing tools read them.
 */
export const LETTER_HEADERS = {
  topic: '__connect.errors.topic',
  partition: '__connect.errors.partition',
  offset: '__connect.errors.offset',
  stage: '__connect.errors.stage',
  exceptionClass: '__connect.errors.exception.class.name',
  exceptionMessage: '__connect.errors.exception.message',
  subscriber: 'tributary.subscriber',
  code: 'tributary.code',
  attempts: 'tributary.attempts',
  firstFailedAt: 'tributary.first-failed-at',
  replays: 'tributary.replays',
  state: 'tributary.state',
  nextTryAt: 'tributary.next-try-at',
} as const

/** The headers of the null value that ends a letter. */
export const LETTER_END_HEADERS = { end: 'tributary.end', reason: 'tributary.reason' } as const

/** The most characters of a header of ours. */
export const LETTER_HEADER_CHARACTERS_MAX = 1_024

/** `retrying`: it is tried again by itself · `dead`: it waits for a person, or for a later change of its key */
export const LETTER_STATES = ['retrying', 'dead'] as const
export type LetterState = (typeof LETTER_STATES)[number]

export const LETTER_STAGES = ['decode', 'apply'] as const
export type LetterStage = (typeof LETTER_STAGES)[number]

/** Kafka Connect's names of our stages. */
export const CONNECT_STAGES: Readonly<Record<LetterStage, string>> = { decode: 'VALUE_CONVERTER', apply: 'TASK_PUT' }

/** An open dead letter, without the refused record itself. */
export interface DeadLetterHead {
  readonly entity: string
  /** The refused record's key; `@<partition>-<offset>` when it has no readable one. */
  readonly key: string
  readonly hasReadableKey: boolean
  readonly code: string
  /** Without values of the record. */
  readonly reason: string
  readonly stage: LetterStage
  readonly attempts: number
  /** ISO 8601; null when it is not said. */
  readonly firstFailedAt: string | null
  /** How often it was replayed. */
  readonly replays: number
  readonly state: LetterState
  /** ISO 8601; null when it is dead, or when it is not said. */
  readonly nextTryAt: string | null
  /** Where the refused record is: null where the headers do not say. */
  readonly topic: string | null
  readonly partition: number | null
  readonly offset: bigint | null
}

export type LetterHeaders = Readonly<Record<string, Buffer | string | undefined>>

/** The record key of a letter. */
export function letterKey(entity: string, key: string | null, partition: number, offset: bigint): string {
  return `${entity}/${key ?? `@${partition}-${offset}`}`
}

/**
 * Reads a record of a dead-letter topic. What its headers do not say, or say wrongly, is taken as the least that is certain: such a
 * letter is dead, and of an unknown code.
 * @returns undefined for a record that is no open letter: one without a value ends a letter, one without a name is not ours
 */
export function parseDeadLetter(
  recordKey: Buffer | null,
  value: Buffer | null,
  headers: LetterHeaders,
): DeadLetterHead | undefined {
  const name = recordKey?.toString() ?? ''
  const slash = name.indexOf('/')
  if (value === null || slash < 1) return undefined
  const key = name.slice(slash + 1)
  const text = (header: keyof typeof LETTER_HEADERS) => headerText(headers, LETTER_HEADERS[header])
  const partition = wholeNumber(text('partition'))
  const offset = text('offset')
  const state = text('state') === 'retrying' ? 'retrying' : 'dead'
  return {
    entity: name.slice(0, slash),
    key,
    hasReadableKey: offset === undefined || key !== `@${partition}-${offset}`,
    code: text('code') || text('exceptionClass') || 'unknown',
    reason: text('exceptionMessage') ?? '',
    stage: text('stage') === CONNECT_STAGES.decode ? 'decode' : 'apply',
    attempts: wholeNumber(text('attempts')) ?? 0,
    firstFailedAt: time(text('firstFailedAt')),
    replays: wholeNumber(text('replays')) ?? 0,
    state,
    nextTryAt: state === 'retrying' ? time(text('nextTryAt')) : null,
    topic: text('topic') ?? null,
    partition,
    offset: offset !== undefined && /^\d{1,19}$/.test(offset) ? BigInt(offset) : null,
  }
}

/** A header as text, cut to {@link LETTER_HEADER_CHARACTERS_MAX}; of one that is there several times, the last. */
function headerText(headers: LetterHeaders, name: string): string | undefined {
  // kafkajs gives an array for a header that is there twice, whatever its type says here.
  const found = headers[name] as Buffer | string | readonly (Buffer | string)[] | undefined
  const one = typeof found === 'string' || Buffer.isBuffer(found) ? found : found?.at(-1)
  return one?.toString().slice(0, LETTER_HEADER_CHARACTERS_MAX)
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null
}

function time(text: string | undefined): string | null {
  const atMs = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isNaN(atMs) ? null : new Date(atMs).toISOString()
}

import type { IncomingRecord } from '../../../connectors/kafka/consumer.ts'
import { type DeadLetterHead, type LetterState, parseDeadLetter } from '../../../schemas/dead-letter.ts'
import type { LetterPlace } from '../../../schemas/subscriber-command.ts'

/** An open dead letter of a subscriber, where it is, and the record that was refused. */
export interface OpenLetter {
  readonly head: DeadLetterHead
  readonly place: LetterPlace
  /** When it failed first, as far as is known: milliseconds since 1970. */
  readonly sinceMs: number
  readonly record: IncomingRecord
}

/** What is looked for; undefined is anything. */
export interface LetterFilter {
  readonly entity?: string | undefined
  readonly key?: string | undefined
  readonly code?: string | undefined
  readonly state?: LetterState | undefined
  /** A part of the reason, in whatever case. */
  readonly reason?: string | undefined
  readonly olderThanMs?: number | undefined
}

/** @returns undefined for a record that is no open letter */
export function readLetter(record: IncomingRecord): OpenLetter | undefined {
  const { key, value, headers, partition, offset, timestampMs } = record
  const head = parseDeadLetter(key, value, headers)
  if (head === undefined) return undefined
  const sinceMs = head.firstFailedAt === null ? timestampMs : Date.parse(head.firstFailedAt)
  return { head, place: { partition, offset }, sinceMs, record }
}

export function matches({ head, sinceMs }: OpenLetter, filter: LetterFilter, nowMs: number): boolean {
  const { entity, key, code, state, reason, olderThanMs } = filter
  if (entity !== undefined && head.entity !== entity) return false
  if (key !== undefined && head.key !== key) return false
  if (code !== undefined && head.code !== code) return false
  if (state !== undefined && head.state !== state) return false
  if (olderThanMs !== undefined && nowMs - sinceMs < olderThanMs) return false
  return reason === undefined || head.reason.toLowerCase().includes(reason.toLowerCase())
}

import type { OutgoingRecord } from '../connectors/kafka/producer.ts'
import type { QueueItem } from './encode.ts'

/** A position of the source before which everything is published. */
export interface Settled {
  readonly position: bigint
  readonly mark: string | null
}

/** What one send publishes, and what may be acknowledged to the source once Kafka has it. */
export interface SendPlan {
  /** How many queue items this send takes from the front. */
  readonly items: number
  readonly records: readonly OutgoingRecord[]
  readonly bytes: number
  /** The newest source position that is wholly published after this send; null when none is. */
  readonly settles: Settled | null
  /** Whether the position is to be stored before the next send. */
  readonly stores: boolean
  /** Microseconds since 1970: the newest commit in it; null when it holds no change. */
  readonly committedAt: bigint | null
}

/**
 * Decides what the next send takes from the front of the queue: records up to the limits, in order, and every settle mark among or right
 * behind them. As sends follow one another, the newest mark taken is the lowest contiguous position. A barrier goes alone, so that
 * nothing of the same send can fail before it.
 */
export function planSend(queue: Iterable<QueueItem>, recordsMax: number, bytesMax: number): SendPlan {
  const records: OutgoingRecord[] = []
  let items = 0
  let bytes = 0
  let settles: Settled | null = null
  let committedAt: bigint | null = null
  let sealed = false
  for (const item of queue) {
    if (item.kind === 'store') {
      items++
      return { items, records, bytes, settles, stores: true, committedAt }
    }
    if (item.kind === 'settle') {
      settles = item.settled
    } else {
      if (sealed || records.length >= recordsMax) break
      if (records.length > 0 && (item.kind === 'barrier' || bytes + item.bytes > bytesMax)) break
      records.push(item.record)
      bytes += item.bytes
      if (item.kind === 'barrier') sealed = true
      else if (item.committedAt !== null && (committedAt === null || item.committedAt > committedAt))
        committedAt = item.committedAt
    }
    items++
  }
  return { items, records, bytes, settles, stores: false, committedAt }
}

import type { OutgoingRecord } from '../connectors/kafka/producer.ts'
import type { UnencodableRow } from './capture-dead-letter.ts'
import type { OpenDeadLettersView } from './open-dead-letters.ts'

/** What the producing side tells whoever watches (metrics, the live view). Called once a batch; must be quick and never throw. */
export interface CaptureObserver {
  published(batch: {
    readonly source: string
    readonly records: readonly OutgoingRecord[]
    readonly bytes: number
    /** Microseconds since 1970: the newest commit in the batch; null when it held no change. */
    readonly committedAt: bigint | null
    readonly sendMs: number
  }): void
  /** A row became a capture dead letter. */
  unencodable(source: string, row: UnencodableRow): void
  /** Capture began to keep its open dead letters there; it replaces an earlier one. Called once an attempt. */
  deadLetters(source: string, open: OpenDeadLettersView): void
  restarted(source: string, error: Error): void
}

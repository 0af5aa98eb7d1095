import type { OutgoingRecord } from '../connectors/kafka/producer.ts'

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
  unencodable(source: string, entity: string): void
  restarted(source: string, error: Error): void
}

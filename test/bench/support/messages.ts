/** What a benchmark's child processes say, over Node's own channel. Times are milliseconds since 1970 of this machine's clock. */

export interface ProcessReport {
  /** User and system time since the first record. */
  readonly cpuSeconds: number
  /** The most memory the process ever held. */
  readonly maxRssBytes: number
}

export interface CaptureReport {
  /** Records acknowledged by Kafka on the entity's topic. */
  readonly records: number
  /** Bytes of their keys, values and headers. */
  readonly bytes: number
  /** When the first batch was read from the source's log. */
  readonly firstReadAtMs: number | null
  /** When Kafka acknowledged the last one so far. */
  readonly lastAckedAtMs: number | null
}

export interface DeliveryReport {
  readonly received: number
  readonly receivedAtMs: number | null
  /** Records that became one with another of their key. */
  readonly coalesced: number
  readonly stale: number
  readonly unchanged: number
  readonly patches: number
  readonly fullPatches: number
  readonly fields: number
  readonly otherAnswers: Readonly<Record<string, number>>
  readonly deadLetters: number
  readonly batches: number
  /** Changes in them; what coalesced is one. */
  readonly settled: number
  readonly ledgerMs: number
  readonly applyMs: number
  /** When the last batch so far was settled. */
  readonly settledAtMs: number | null
  /** Records that are read and not known to be finished: those of the last look at the offsets, and all that came since. */
  readonly lag: number
}

export interface PipelineReport extends ProcessReport {
  readonly capture: CaptureReport
  readonly delivery: DeliveryReport
}

/** One applied patch: its key, and the time from the commit at the source to the destination's answer. */
export interface Samples {
  readonly keys: readonly string[]
  readonly latencyMs: readonly number[]
}

export interface BareReport extends ProcessReport {
  readonly rows: number
  readonly firstReadAtMs: number | null
  readonly lastReadAtMs: number | null
}

/** To the child. */
export type Order = { readonly kind: 'samples' } | { readonly kind: 'stop' }

/** From the child. */
export type Notice<Report> =
  | { readonly kind: 'running' }
  | { readonly kind: 'report'; readonly report: Report }
  | { readonly kind: 'samples'; readonly samples: Samples }
  | { readonly kind: 'failed'; readonly reason: string }

export type PipelineNotice = Notice<PipelineReport>
export type BareNotice = Notice<BareReport>

export interface PipelineOrder {
  readonly file: string
  readonly sources: readonly string[]
  readonly subscribers: readonly string[]
  /** Whether every applied patch is kept as a sample. */
  readonly samples: boolean
}

export interface BareOrder {
  readonly url: string
  readonly slot: string
  readonly publication: string
  /** Ends after so many rows. */
  readonly rows: number
}

import type { Log } from '../connectors/kafka/client.ts'
import type { OutgoingRecord, Producer } from '../connectors/kafka/producer.ts'
import { pause } from '../connectors/pause.ts'
import type { CaptureContext, Source, StoredState } from '../connectors/source.ts'
import type { Delta } from '../schemas/delta.ts'
import { fateOf, TributaryError } from '../schemas/errors.ts'
import type { ClaimStage } from './claim.ts'
import { createEncode } from './encode.ts'
import { hydrate } from './hydrate.ts'
import type { CaptureObserver } from './observer.ts'
import { OpenDeadLetters } from './open-dead-letters.ts'
import { Portions } from './portions.ts'
import { positionRecord } from './positions.ts'
import { PublishQueue, publish } from './publish.ts'

export interface CaptureOptions {
  readonly prefix: string
  readonly source: string
  /** Opens the source afresh: after a failure nothing of the former one is used again. */
  readonly openSource: () => Source
  readonly openProducer: () => Producer
  readonly loadState: () => Promise<StoredState>
  /** What shuts a former writer out of the topics that are read when the source is taken over. */
  readonly openFences: () => Promise<readonly OutgoingRecord[]>
  /** How entity topics are read back; `flush` publishes records behind everything handed out so far, and waits for all that. */
  readonly openPublished: (
    flush: (records: readonly OutgoingRecord[]) => Promise<void>,
    signal: AbortSignal,
  ) => Pick<CaptureContext, 'publishedRange' | 'published'>
  /** Fills the set of open capture dead letters from their topic. */
  readonly loadDeadLetters: (into: OpenDeadLetters) => Promise<void>
  /** The encoder of each entity's registered schema; asked anew for each attempt. */
  readonly loadEncoders: () => Promise<ReadonlyMap<string, (delta: Delta) => Buffer>>
  /** Stores large values before their changes are encoded. */
  readonly claim: ClaimStage
  readonly observer: CaptureObserver
  readonly log: Log
  /** Called when the source streams and whenever it stops doing so, with the reason. */
  readonly onReady: (ready: boolean, reason?: string) => void
}

const BACKOFF_MS_MIN = 500
const BACKOFF_MS_MAX = 15_000

/**
 * Captures a source until `signal` aborts: capture → hydrate → encode → publish → settle. On an error that may pass it starts again from
 * the last settled position, with a new source and a new producer, waiting longer each time.
 * @throws TributaryError with the fate `stop`
 */
export async function capture(options: CaptureOptions, signal: AbortSignal): Promise<void> {
  let backoffMs = BACKOFF_MS_MIN
  while (!signal.aborted) {
    try {
      await attempt(options, signal, () => {
        backoffMs = BACKOFF_MS_MIN
      })
    } catch (error) {
      options.onReady(false, (error as Error).message)
      if (fateOf(error) !== 'retry') throw error
      if (signal.aborted) return
      options.observer.restarted(options.source, error as Error)
      options.log('warn', `capture of ${options.source} stopped, trying again`, {
        reason: (error as Error).message,
        inMs: backoffMs,
      })
      await pause(backoffMs, signal)
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MS_MAX)
    }
  }
}

async function attempt(options: CaptureOptions, signal: AbortSignal, onProgress: () => void): Promise<void> {
  const encoders = await options.loadEncoders()
  const source = options.openSource()
  const producer = options.openProducer()
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  try {
    await source.prepare()
    const queue = new PublishQueue()
    const publishing = publish(queue, {
      producer,
      requireHeld: () => source.requireHeld(),
      positionRecord: (settled) => positionRecord(options.prefix, options.source, settled),
      onSent({ records, bytes, committedAt }, sendMs) {
        onProgress()
        options.observer.published({ source: options.source, records, bytes, committedAt, sendMs })
      },
      onSettled(position) {
        onProgress()
        source.acknowledge(position)
      },
    }).catch((error) => {
      stop.abort()
      throw error
    })
    const reading = read(options, encoders, source, queue, either).finally(() => queue.end())
    const [published, readResult] = await Promise.allSettled([publishing, reading])
    if (published.status === 'rejected') throw published.reason
    if (readResult.status === 'rejected') throw readResult.reason
  } finally {
    stop.abort()
    await Promise.allSettled([source.close(), producer.close()])
  }
}

async function read(
  options: CaptureOptions,
  encoders: ReadonlyMap<string, (delta: Delta) => Buffer>,
  source: Source,
  queue: PublishQueue,
  signal: AbortSignal,
): Promise<void> {
  const deadLetters = new OpenDeadLetters()
  options.observer.deadLetters(options.source, deadLetters)
  const encode = createEncode({
    prefix: options.prefix,
    source: options.source,
    encoders,
    deadLetters,
    onUnencodable: (row) => options.observer.unencodable(options.source, row),
  })
  const context: CaptureContext = {
    loadState: options.loadState,
    async takeOver() {
      await queue.flush(await options.openFences())
      await options.loadDeadLetters(deadLetters)
      return options.loadState()
    },
    onStreaming: () => options.onReady(true),
    ...options.openPublished((records) => queue.flush(records), signal),
  }
  const portions = new Portions()
  for await (const events of source.events(context, signal)) {
    for (const portion of portions.cut(events)) {
      const hydrated = await hydrate(source, portion)
      portions.learn(portion, hydrated)
      await queue.push((await options.claim(hydrated, signal)).flatMap(encode))
    }
  }
  // Against the contract; without an error there would be no pause before it is opened again.
  if (!signal.aborted)
    throw new TributaryError('source-unreachable', `The stream of source ${options.source} ended. It is opened again.`)
}

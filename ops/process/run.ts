import type { SnapshotProgress } from '../../connectors/source.ts'
import type { DeliveryObserver } from '../../consumers/observer.ts'
import type { CaptureObserver } from '../../producers/observer.ts'
import { createMetrics } from '../metrics/metrics.ts'
import { runCapture } from './capture.ts'
import { createCatchUp } from './catch-up.ts'
import { createDeadLetterAlarm } from './dead-letter-alarm.ts'
import { runDelivery } from './delivery.ts'
import type { Environment } from './environment.ts'
import { serveHealth } from './health-server.ts'
import { Readiness } from './readiness.ts'
import { createSnapshotLog } from './snapshot-log.ts'

/** Who else watches, beside the metrics: the live view. */
export interface Watcher {
  readonly capture?: CaptureObserver
  readonly delivery?: (subscriber: string) => DeliveryObserver
  readonly onSnapshotProgress?: (progress: SnapshotProgress) => void
}

export interface ProcessOptions {
  readonly sources: readonly string[]
  readonly subscribers: readonly string[]
  readonly host: string
  readonly port: number
  readonly watcher?: Watcher
  readonly onListening?: (url: string) => void
  /** Called once, when every part has begun to work. */
  readonly onRunning?: (url: string) => void
}

/**
 * Runs captures and deliveries in this process, with its metrics and health, until `signal` aborts or one of them fails for good; then all
 * are drained.
 * @throws TributaryError with the fate `stop`
 */
export async function runProcess(
  environment: Environment,
  options: ProcessOptions,
  signal: AbortSignal,
): Promise<void> {
  const { watcher = {} } = options
  const metrics = createMetrics()
  const readiness = new Readiness(() => options.onRunning?.(health.url))
  const health = await serveHealth(options.host, options.port, metrics.registry, readiness)
  environment.log('info', 'serving /metrics, /healthz and /readyz', { url: health.url })
  options.onListening?.(health.url)
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const onSnapshotProgress = watcher.onSnapshotProgress ?? createSnapshotLog(environment.log)
  const alarm = createDeadLetterAlarm(environment.log, environment.declaration.entities)
  const captures = options.sources.map((source) => {
    const observer = both(both(metrics.captureObserver(), alarm), watcher.capture)
    const onReady = readiness.part(`capture ${source}`)
    const sourceObserver = metrics.sourceObserver(source)
    return runCapture(environment, source, { observer, sourceObserver, onSnapshotProgress, onReady }, either)
  })
  // Under the live view the log goes to a file.
  const hasReader = options.watcher === undefined && process.stderr.isTTY === true
  const deliveries = options.subscribers.map((subscriber) => {
    const catchUp = createCatchUp(environment.log, subscriber, hasReader)
    const observer = both(both(metrics.deliveryObserver(subscriber), catchUp), watcher.delivery?.(subscriber))
    const onReady = (entityClass: string) => readiness.part(`deliver ${subscriber} ${entityClass}`)
    return runDelivery(environment, subscriber, { observer, onReady }, either)
  })
  try {
    const parts = [...captures, ...deliveries].map((part) =>
      part.catch((error) => {
        stop.abort()
        throw error
      }),
    )
    for (const result of await Promise.allSettled(parts)) if (result.status === 'rejected') throw result.reason
  } finally {
    await health.close()
  }
}

/** One observer that tells two. */
function both<T extends object>(first: T, second: T | undefined): T {
  if (second === undefined) return first
  const names = Object.keys(first) as (keyof T)[]
  return Object.fromEntries(
    names.map((name) => [
      name,
      (...args: unknown[]) => {
        ;(first[name] as (...args: unknown[]) => void)(...args)
        ;(second[name] as (...args: unknown[]) => void)(...args)
      },
    ]),
  ) as T
}

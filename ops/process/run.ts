import type { SnapshotProgress } from '../../connectors/source.ts'
import type { DeliveryObserver } from '../../consumers/observer.ts'
import type { CaptureObserver } from '../../producers/observer.ts'
import type { EntityClass } from '../../schemas/entity.ts'
import { runExporter } from '../exporter/exporter.ts'
import { createMetrics } from '../metrics/metrics.ts'
import { runCapture } from './capture.ts'
import { createCatchUp } from './catch-up.ts'
import { createDeadLetterAlarm } from './dead-letter-alarm.ts'
import { classesOf, findSubscriber, runDelivery } from './delivery.ts'
import type { Environment } from './environment.ts'
import { serveHealth } from './health-server.ts'
import { type Part, runParts } from './parts.ts'
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
  /** Whether this process tells what no single one sees: see ops/exporter. */
  readonly exporter?: boolean
  readonly host: string
  readonly port: number
  readonly watcher?: Watcher
  readonly onListening?: (url: string) => void
  /** Called once, when every part has begun to work. */
  readonly onRunning?: (url: string) => void
}

/**
 * Runs captures and deliveries in this process, with its metrics and health, until `signal` aborts or what all of them share is not fit to
 * work with; then all are drained.
 * @throws TributaryError with the fate `stop`
 */
export async function runProcess(
  environment: Environment,
  options: ProcessOptions,
  signal: AbortSignal,
): Promise<void> {
  const { watcher = {} } = options
  const { declaration, log } = environment
  const readiness = new Readiness(() => options.onRunning?.(health.url))
  const targets = [...declaration.entities.values()].map((entity) => ({ ...entity, entity: entity.name }))
  const metrics = createMetrics({ targets, readParts: () => readiness.parts() })
  const health = await serveHealth(options.host, options.port, metrics.registry, readiness)
  log('info', 'serving /metrics, /healthz and /readyz', { url: health.url })
  options.onListening?.(health.url)
  const tellSnapshot = watcher.onSnapshotProgress ?? createSnapshotLog(log)
  const onSnapshotProgress = (progress: SnapshotProgress) => {
    metrics.snapshotProgress(progress)
    tellSnapshot(progress)
  }
  const alarm = createDeadLetterAlarm(log, declaration.entities)
  const captures = options.sources.map((source): Part => {
    const name = `capture ${source}`
    const observer = both(both(metrics.captureObserver(), alarm), watcher.capture)
    const sourceObserver = metrics.sourceObserver(source)
    const parts = { observer, sourceObserver, onSnapshotProgress, onReady: readiness.part(name) }
    return {
      name,
      run: (either) => runCapture(environment, source, parts, either),
      onFailed: (reason) => readiness.failed(name, reason),
    }
  })
  // Under the live view the log goes to a file.
  const hasReader = options.watcher === undefined && process.stderr.isTTY === true
  const deliveries = options.subscribers.map((subscriber): Part => {
    const name = `deliver ${subscriber}`
    const ofClass = (entityClass: string) => `${name} ${entityClass}`
    const classes = classesOf(findSubscriber(declaration, subscriber))
    const tellers = new Map(classes.map((entityClass) => [entityClass, readiness.part(ofClass(entityClass))]))
    const catchUp = createCatchUp(log, subscriber, hasReader)
    const observer = both(both(metrics.deliveryObserver(subscriber), catchUp), watcher.delivery?.(subscriber))
    const parts = { observer, onReady: (entityClass: EntityClass) => tellers.get(entityClass)! }
    return {
      name,
      run: (either) => runDelivery(environment, subscriber, parts, either),
      onFailed(reason) {
        for (const entityClass of classes) readiness.failed(ofClass(entityClass), reason)
      },
    }
  })
  const exporters = (options.exporter ? ['exporter'] : []).map((name): Part => {
    const parts = { onLook: metrics.clusterLook, onReady: readiness.part(name) }
    return {
      name,
      run: (either) => runExporter(environment, parts, either),
      onFailed: (reason) => readiness.failed(name, reason),
    }
  })
  try {
    await runParts([...captures, ...deliveries, ...exporters], log, signal)
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

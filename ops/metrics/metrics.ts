import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { SnapshotProgress } from '../../connectors/source.ts'
import type { DeliveryObserver } from '../../consumers/observer.ts'
import packageJson from '../../package.json' with { type: 'json' }
import type { CaptureObserver } from '../../producers/observer.ts'
import type { ClusterLook } from '../exporter/look.ts'
import { createCaptureMetrics, createSnapshotMetrics } from './capture.ts'
import { createClusterMetrics, type DeclaredTargets } from './cluster.ts'
import { createDeliveryMetrics } from './delivery.ts'
import { createSourceMetrics, type SourceObserver } from './source.ts'

/** The metrics of one process, in base units and without ids in labels. */
export interface Metrics {
  readonly registry: Registry
  captureObserver(): CaptureObserver
  sourceObserver(source: string): SourceObserver
  snapshotProgress(progress: SnapshotProgress): void
  deliveryObserver(subscriber: string): DeliveryObserver
  clusterLook(look: ClusterLook): void
}

export interface MetricsOptions {
  readonly targets?: readonly DeclaredTargets[]
  /** Which parts of the process work, at every scrape: name → whether it does. */
  readonly readParts?: () => Readonly<Record<string, boolean>>
}

export function createMetrics({ targets = [], readParts = () => ({}) }: MetricsOptions = {}): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  new Gauge({
    name: 'tributary_build_info',
    help: '1; what runs is in the labels.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version: packageJson.version, node: process.version }, 1)
  new Gauge({
    name: 'tributary_part_up',
    help: '1 while this capture or this class of a delivery works, 0 while it is starting, cut off or stopped.',
    labelNames: ['part'],
    registers,
    collect() {
      for (const [part, isUp] of Object.entries(readParts())) this.set({ part }, isUp ? 1 : 0)
    },
  })
  const classes = new Map(targets.map((target) => [target.entity, target.class]))
  return {
    registry,
    captureObserver: createCaptureMetrics(registers),
    sourceObserver: createSourceMetrics(registers),
    snapshotProgress: createSnapshotMetrics(registers),
    deliveryObserver: createDeliveryMetrics(registers, (entity) => classes.get(entity) ?? 'standard'),
    clusterLook: createClusterMetrics(registers, targets),
  }
}

import { median, round } from '../support/statistics.ts'
import type { Axis, Point } from './axes.ts'

/** What is measured at each point. */
export const FIGURES = {
  deliverPerSecond: { title: 'delivery of a backlog, records a second', short: 'deliver/s' },
  deliverCpuMicros: { title: 'processor time of a delivered record, µs', short: 'µs each' },
  deliverMb: { title: 'most memory of a delivery process, MB', short: 'MB' },
  p50Ms: { title: 'latency, p50, ms', short: 'p50 ms' },
  p99Ms: { title: 'latency, p99, ms', short: 'p99 ms' },
  capturePerSecond: { title: 'capture of a backlog, changes a second', short: 'capture/s' },
  captureCpuMicros: { title: 'processor time of a captured change, µs', short: 'µs each' },
  captureMb: { title: 'most memory of the capture process, MB', short: 'MB' },
  ledgerMb: { title: 'memory of Redis, MB', short: 'Redis MB' },
  listSeconds: { title: 'listing the keys of one partition, as a sweep does, s', short: 'list s' },
  bytesPerRecord: { title: 'bytes of a record on the topic', short: 'B a record' },
  coalescedShare: { title: 'share of the records that coalesced', short: 'coalesced' },
  patchesPerBatch: { title: 'patches in a batch', short: 'a batch' },
  ledgerMsPerBatch: { title: 'a batch in the ledger, ms', short: 'ledger ms' },
  applyMsPerBatch: { title: 'a batch at the warehouse, ms', short: 'apply ms' },
} as const
export type Figure = keyof typeof FIGURES
export type Measured = Readonly<Partial<Record<Figure, number>>>

const DELIVERY: readonly Figure[] = ['deliverPerSecond', 'deliverCpuMicros', 'deliverMb', 'p50Ms', 'p99Ms']
const CAPTURE: readonly Figure[] = ['capturePerSecond', 'captureCpuMicros', 'captureMb']

/** What an axis concerns; the others are in the file of results alone. */
export const SHOWN: Readonly<Record<Axis, readonly Figure[]>> = {
  keys: [...DELIVERY, 'ledgerMb', 'listSeconds'],
  partitions: [...DELIVERY, ...CAPTURE],
  subscribers: DELIVERY,
  columns: [...DELIVERY, ...CAPTURE],
  bytes: [...DELIVERY, ...CAPTURE],
}

/** One measurement of a point. */
export interface Visit {
  readonly point: Point
  readonly leg: 'there' | 'back'
  /** How busy the machine was just before. */
  readonly load: number
  readonly seconds: number
  readonly figures: Measured
  /** Why its figures count for nothing; null when every row was equal. */
  readonly void: string | null
}

/** Of the visits of one point. */
export interface Summary {
  readonly value: number
  readonly low: number
  readonly high: number
  /** To the base point in the same leg, the middle one; null where the base was not measured. */
  readonly ratio: number | null
}

/** One point's line: a figure that no visit has is left out. */
export interface CurvePoint {
  readonly point: Point
  readonly figures: Readonly<Partial<Record<Figure, Summary>>>
}

/** Void visits count for nothing. */
export function curveOf(points: readonly Point[], base: Point, visits: readonly Visit[]): readonly CurvePoint[] {
  const valid = visits.filter((visit) => visit.void === null)
  const at = (point: Point) => valid.filter((visit) => isSame(visit.point, point))
  return points.map((point) => {
    const found = at(point)
    const figures: Partial<Record<Figure, Summary>> = {}
    for (const figure of Object.keys(FIGURES) as Figure[]) {
      const values = found.flatMap((visit) => visit.figures[figure] ?? [])
      if (values.length === 0) continue
      const ratios = found.flatMap(({ leg, figures: { [figure]: value } }) => {
        const beside = at(base).find((visit) => visit.leg === leg)?.figures[figure]
        return value === undefined || beside === undefined || beside === 0 ? [] : [value / beside]
      })
      const ratio = ratios.length === 0 ? null : round(median(ratios))
      figures[figure] = { value: median(values), low: Math.min(...values), high: Math.max(...values), ratio }
    }
    return { point, figures }
  })
}

function isSame(a: Point, b: Point): boolean {
  return Object.entries(a).every(([axis, value]) => b[axis as Axis] === value)
}

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { createBenchPipeline } from '../support/bench-pipeline.ts'
import { killChildren } from '../support/child.ts'
import { describeMachine } from '../support/machine.ts'
import { type BenchRun, fillWarehouse, seedRows, startCapture, startDelivery } from '../support/run.ts'
import type { Figures, Surroundings } from '../support/surroundings.ts'
import { insertRows } from '../support/workload.ts'
import { AXES, type Axis, baseOf, type Point, pointsOf, thereAndBack, UNITS, workOf } from './axes.ts'
import type { Visit } from './figures.ts'
import { openLedgerSize } from './ledger-size.ts'
import { measurePoint, type Stage } from './measure.ts'
import { type AxisResult, curveOfAxis, drawAxis, formatAxis } from './report.ts'

export interface GrowthFlags {
  readonly axis?: readonly Axis[]
  /** Share of the changes and of the time at each point. */
  readonly scale: number
  /** Points beyond it are left out. */
  readonly most?: number
  /** Where the results and the plots go. */
  readonly out: string
}

/** A tenth of what a statement may take by default: a ledger that has begun is certain after twice that. */
const TIMEOUT = '5s'

/**
 * How rate, latency and memory move along one axis while the others stay at a base point. Each axis is walked there and back, and a
 * point is compared with the base point of its own leg.
 */
export async function benchGrowth(around: Surroundings, flags: GrowthFlags): Promise<Figures> {
  const results: AxisResult[] = []
  for (const axis of flags.axis ?? AXES) {
    results.push(await measureAxis(around, axis, flags, (soFar) => writeResults(flags.out, soFar)))
  }
  return { axes: results }
}

async function measureAxis(
  around: Surroundings,
  axis: Axis,
  { scale, most }: GrowthFlags,
  keep: (soFar: AxisResult) => void,
): Promise<AxisResult> {
  const startedAt = new Date()
  const machine = describeMachine()
  const base = baseOf(axis)
  const points = pointsOf(axis, most)
  const closings: (() => Promise<void>)[] = []
  const close = async () => {
    for (let end = closings.pop(); end !== undefined; end = closings.pop()) await end()
  }
  around.atEnd(close)
  const stages = new Map<string, Stage>()
  for (const point of points) {
    const name = stageName(point)
    if (!stages.has(name)) stages.set(name, await prepareStage(around, axis, point, closings))
  }

  const visits: Visit[] = []
  const result = (): AxisResult => {
    const minutes = Math.round((Date.now() - startedAt.getTime()) / 6_000) / 10
    const curve = curveOfAxis(axis, visits)
    return { axis, startedAt: startedAt.toISOString(), minutes, scale, machine, base, visits, curve }
  }
  for (const { leg, point } of thereAndBack(points)) {
    const what = `${point[axis].toLocaleString('en')} ${UNITS[axis]}, ${leg}`
    const load = Number(loadavg()[0]!.toFixed(2))
    const before = performance.now()
    const visit = async (): Promise<Pick<Visit, 'figures' | 'void'>> => {
      try {
        const stage = stages.get(stageName(point))!
        return { figures: await measurePoint(stage, point, workOf(point, base, scale), what), void: null }
      } catch (error) {
        if (around.interrupted.aborted) throw error
        // One that fails takes nothing from the others.
        await killChildren()
        around.progress.end()
        console.error(`void: ${(error as Error).message}`)
        return { figures: {}, void: (error as Error).message }
      }
    }
    const outcome = await visit()
    visits.push({ point, leg, load, seconds: Math.round((performance.now() - before) / 1000), ...outcome })
    // Whoever interrupts it keeps what is measured by then.
    keep(result())
  }
  around.progress.end()
  await close()
  if (visits.some((visit) => visit.void !== null)) process.exitCode = 1
  return result()
}

/** Points that differ in the ledger alone share one. */
function stageName({ partitions, subscribers, columns, bytes }: Point): string {
  return [partitions, subscribers, columns, bytes].join('/')
}

/** A pipeline of the point's shape, its rows delivered to every subscriber. */
async function prepareStage(
  { progress, profileFolder }: Surroundings,
  axis: Axis,
  { partitions, subscribers, columns, bytes }: Point,
  closings: (() => Promise<void>)[],
): Promise<Stage> {
  const rows = baseOf(axis).keys
  progress.step('Preparing a pipeline')
  const pipeline = await createBenchPipeline({ shape: { columns, bytes }, partitions, subscribers, timeout: TIMEOUT })
  closings.push(() => pipeline.close())
  const ledger = axis === 'keys' ? await openLedgerSize(pipeline, partitions, rows) : null
  closings.push(async () => ledger?.close())
  const run: BenchRun = { pipeline, progress, profileFolder }
  const filling: BenchRun = { ...run, profileFolder: undefined }
  await insertRows(pipeline.flow.source, 1, seedRows(rows))
  const capture = startCapture(filling, false)
  const deliveries = pipeline.subscribers.map(({ name }) => startDelivery(filling, false, name))
  await fillWarehouse(filling, capture, deliveries, rows)
  await Promise.all([capture, ...deliveries].map((child) => child.stop()))
  return { run, ledger, nextNumber: 1 }
}

/** The plot of an axis, and one file for all: axes that are not measured in this run stay as they are. */
function writeResults(folder: string, result: AxisResult): void {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'growth.json')
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {}
  writeFileSync(file, `${JSON.stringify({ ...before, [result.axis]: result }, null, 2)}\n`)
  writeFileSync(join(folder, `growth-${result.axis}.svg`), drawAxis(result))
}

export function printGrowth(figures: Figures): void {
  for (const result of figures.axes as readonly AxisResult[]) console.log(formatAxis(result))
}

import { isBusy, type Machine } from '../support/machine.ts'
import { alignColumns } from '../support/report.ts'
import { formatValue } from '../support/statistics.ts'
import { drawPlot } from '../support/svg.ts'
import { AXES, type Axis, baseOf, type Point, pointsOf, UNITS } from './axes.ts'
import { type CurvePoint, curveOf, FIGURES, SHOWN, type Summary, type Visit } from './figures.ts'

/** One axis as it was measured. */
export interface AxisResult {
  readonly axis: Axis
  readonly startedAt: string
  readonly minutes: number
  readonly scale: number
  readonly machine: Machine
  readonly base: Point
  readonly visits: readonly Visit[]
  readonly curve: readonly CurvePoint[]
}

export function curveOfAxis(axis: Axis, visits: readonly Visit[]): readonly CurvePoint[] {
  const measured = new Set(visits.map(({ point }) => point[axis]))
  const points = pointsOf(axis).filter((point) => measured.has(point[axis]))
  return curveOf(points, baseOf(axis), visits)
}

/** The table for the terminal: below each point's figures, how many times those of the base they are. */
export function formatAxis({ axis, base, curve, visits, machine, minutes, scale }: AxisResult): string {
  const shown = SHOWN[axis]
  const rows: string[][] = [[axis, ...shown.map((figure) => FIGURES[figure].short)]]
  for (const { point, figures } of curve) {
    rows.push([point[axis].toLocaleString('en'), ...shown.map((figure) => formatValue(figures[figure]?.value))])
    if (point[axis] !== base[axis]) rows.push(['', ...shown.map((figure) => formatRatio(figures[figure]))])
  }
  const voids = visits.filter((visit) => visit.void !== null)
  return [
    ...alignColumns(rows),
    '',
    `Other than ${axis}: ${describeBase(axis, base)}. There and back in ${minutes} minutes${scale === 1 ? '' : `, scale ${scale}`}.`,
    ...voids.map(({ point, leg, void: reason }) => `void: ${point[axis]}, ${leg}: ${reason!.split('\n', 1)[0]}`),
    ...(isBusy(machine) ? ['The machine was busy with something else: the figures are a rough shape.'] : []),
    '',
  ].join('\n')
}

function formatRatio(summary: Summary | undefined): string {
  return summary?.ratio == null ? '' : `×${formatValue(summary.ratio)}`
}

function describeBase(axis: Axis, base: Point): string {
  return AXES.filter((other) => other !== axis)
    .map((other) => `${base[other].toLocaleString('en')} ${UNITS[other]}`)
    .join(', ')
}

/** Bars from point to point, a group for each figure. */
export function drawAxis({ axis, base, curve }: AxisResult): string {
  const groups = SHOWN[axis].map((figure) => ({
    label: FIGURES[figure].title,
    bars: curve.flatMap(({ point, figures }) => {
      const summary = figures[figure]
      if (summary === undefined) return []
      const { value, low, high } = summary
      const note = `${formatValue(value)} ${formatRatio(summary)}`
      const kind = point[axis] === base[axis] ? ('ceiling' as const) : ('ours' as const)
      return [{ label: `${point[axis].toLocaleString('en')} ${UNITS[axis]}`, value, low, high, kind, note }]
    }),
  }))
  return drawPlot({
    title: `Growth: ${UNITS[axis]}`,
    caption: `${describeBase(axis, base)}; ×: to the grey bar`,
    groups: groups.filter(({ bars }) => bars.length > 0),
    scaleByGroup: true,
    format: formatValue,
  })
}

import { describe, expect, test } from 'vitest'
import { AXES, baseOf, type Point, pointsOf, steadyRate, thereAndBack, workOf } from './axes.ts'
import { curveOf, FIGURES, type Measured, SHOWN, type Visit } from './figures.ts'
import { drawAxis, formatAxis } from './report.ts'

const [small, large] = pointsOf('partitions') as [Point, Point]

function visit(point: Point, leg: Visit['leg'], figures: Measured, reason: string | null = null): Visit {
  return { point, leg, load: 0, seconds: 1, figures, void: reason }
}

describe('points', () => {
  test('differ from the base in their own axis alone, and the base is one of them', () => {
    for (const axis of AXES) {
      const base = baseOf(axis)
      for (const point of pointsOf(axis)) expect({ ...point, [axis]: base[axis] }).toEqual(base)
      expect(pointsOf(axis)).toContainEqual(base)
      expect(pointsOf(axis, 0)).toEqual([base])
    }
  })

  test('are walked there and back', () => {
    expect(thereAndBack([1, 2]).map(({ leg, point }) => `${point} ${leg}`)).toEqual([
      '1 there',
      '2 there',
      '2 back',
      '1 back',
    ])
  })

  test('have work that is bounded in records, bytes and fields, and a row for every change of the load', () => {
    for (const axis of AXES)
      for (const point of pointsOf(axis)) {
        const { rows, changes, rate, seconds } = workOf(point, baseOf(axis), 1)
        expect(changes * point.bytes).toBeLessThanOrEqual(400e6)
        expect(changes * point.columns).toBeLessThanOrEqual(1.5e6)
        expect(changes * point.subscribers).toBeLessThanOrEqual(200_000)
        expect(rate * seconds).toBeLessThanOrEqual(rows)
      }
  })
})

describe('rates', () => {
  test('leave out the first quarter, in which a process warms up', () => {
    const marks = [
      { atMs: 1_000, done: 10 },
      { atMs: 2_000, done: 100 },
      { atMs: 3_000, done: 400 },
    ]
    expect(steadyRate(0, marks)).toBe(300)
  })

  test('are of the whole when everything was done between two looks', () => {
    expect(steadyRate(0, [{ atMs: 2_000, done: 400 }])).toBe(200)
  })
})

describe('curves', () => {
  test('compare a point with the base of its own leg, so that a machine that slows down changes no ratio', () => {
    const visits = [
      visit(small, 'there', { deliverPerSecond: 100 }),
      visit(large, 'there', { deliverPerSecond: 50 }),
      visit(large, 'back', { deliverPerSecond: 25 }),
      visit(small, 'back', { deliverPerSecond: 50 }),
    ]
    const [, point] = curveOf([small, large], small, visits)
    expect(point!.figures.deliverPerSecond).toEqual({ value: 37.5, low: 25, high: 50, ratio: 0.5 })
  })

  test('know nothing of a void visit', () => {
    const visits = [
      visit(small, 'there', { p99Ms: 10 }),
      visit(large, 'there', { p99Ms: 20 }),
      visit(large, 'back', { p99Ms: 1 }, '3 rows differ'),
    ]
    const [, point] = curveOf([small, large], small, visits)
    expect(point!.figures.p99Ms).toEqual({ value: 20, low: 20, high: 20, ratio: 2 })
  })
})

describe('reports', () => {
  const machine = {
    cores: 2,
    processor: 'x',
    memoryGb: 1,
    node: 'v24',
    platform: 'linux x64',
    loadBefore: 0,
  }
  const full = Object.fromEntries(Object.keys(FIGURES).map((figure) => [figure, 20_000]))
  const visits = AXES.flatMap((axis) => pointsOf(axis).map((point) => ({ axis, ...visit(point, 'there', full) })))
  const resultOf = (axis: (typeof AXES)[number]) => {
    const ours = visits.filter((one) => one.axis === axis)
    const curve = curveOf(pointsOf(axis), baseOf(axis), ours)
    return { axis, startedAt: '', minutes: 5, scale: 1, machine, base: baseOf(axis), visits: ours, curve }
  }

  test('a table fits a terminal of 100 columns', () => {
    for (const axis of AXES)
      for (const line of formatAxis(resultOf(axis)).split('\n').slice(0, -3))
        expect(line.length).toBeLessThanOrEqual(100)
  })

  test('a plot has a bar for each point of each figure that was measured', () => {
    const svg = drawAxis(resultOf('bytes'))
    expect(svg.match(/<rect/g)).toHaveLength(pointsOf('bytes').length * SHOWN.bytes.length)
    expect(svg).toContain('100,000 bytes a row')
    expect(svg).not.toMatch(/NaN|undefined/)
  })
})

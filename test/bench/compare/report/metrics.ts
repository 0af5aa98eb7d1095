import { median } from '../../support/statistics.ts'
import type { Contender, Run, Scenario } from '../results.ts'

/** One line of the comparison. */
export interface Metric {
  readonly scenario: Scenario
  readonly figure: string
  readonly title: string
  readonly unit: string
  readonly better: 'higher' | 'lower'
  readonly expected: readonly Expectation[]
  /** A bound in the metric's own unit that is expected besides. */
  readonly bound?: number
}

/** How many times better tributary is to be; `best` is the best of Debezium's variants. */
export interface Expectation {
  readonly times: number
  readonly than: Contender | 'best'
}

/** Within this share of each other, neither has won. */
export const TIE_SHARE = 0.1

/** Up to here a fifth of Debezium's p99 is expected; beyond it, Debezium falls behind. */
const KEPT_UP_RATE = 500

const best = (times: number): Expectation => ({ times, than: 'best' })

export function metricsFor(rates: readonly number[]): readonly Metric[] {
  const capture = { scenario: 'capture' as const }
  const latency = { scenario: 'latency' as const }
  return [
    {
      ...capture,
      figure: 'recordsPerSecond',
      title: 'capture of a backlog',
      unit: '/s',
      better: 'higher',
      expected: [best(4), { times: 0.75, than: 'bare' }],
    },
    {
      ...capture,
      figure: 'secondHalfPerSecond',
      title: 'capture, second half',
      unit: '/s',
      better: 'higher',
      expected: [best(4)],
    },
    {
      ...capture,
      figure: 'bytesPerChange',
      title: 'bytes of a change on the topic',
      unit: 'B',
      better: 'lower',
      expected: [
        { times: 5, than: 'debezium' },
        { times: 2, than: 'debezium-json' },
      ],
    },
    {
      ...capture,
      figure: 'cpuMicrosPerChange',
      title: 'processor time of a capture',
      unit: 'µs',
      better: 'lower',
      expected: [],
    },
    { ...capture, figure: 'peakMb', title: 'memory of capture', unit: 'MB', better: 'lower', expected: [], bound: 300 },
    {
      scenario: 'apply',
      figure: 'recordsPerSecond',
      title: 'apply to the warehouse',
      unit: '/s',
      better: 'higher',
      expected: [best(5)],
    },
    {
      scenario: 'apply',
      figure: 'cpuMicrosPerChange',
      title: 'processor time of an apply',
      unit: 'µs',
      better: 'lower',
      expected: [],
    },
    {
      scenario: 'apply',
      figure: 'peakMb',
      title: 'memory of apply',
      unit: 'MB',
      better: 'lower',
      expected: [],
      bound: 300,
    },
    ...rates.flatMap((rate): Metric[] => [
      {
        ...latency,
        figure: `p50MsAt${rate}`,
        title: `latency at ${rate}/s, p50`,
        unit: 'ms',
        better: 'lower',
        expected: [],
      },
      {
        ...latency,
        figure: `p99MsAt${rate}`,
        title: `latency at ${rate}/s, p99`,
        unit: 'ms',
        better: 'lower',
        expected: rate <= KEPT_UP_RATE ? [best(5)] : [],
      },
    ]),
    {
      scenario: 'restart',
      figure: 'killToFirstMs',
      title: 'first event after SIGKILL',
      unit: 'ms',
      better: 'lower',
      expected: [],
      bound: 3_000,
    },
    {
      scenario: 'restart',
      figure: 'repeatedRecords',
      title: 'records published twice',
      unit: '',
      better: 'lower',
      expected: [],
    },
  ]
}

export interface Line {
  readonly metric: Metric
  /** The middle of the valid runs. */
  readonly values: ReadonlyMap<Contender, number>
  /** Debezium's best, and whose it is. */
  readonly best: { readonly contender: Contender; readonly value: number } | null
  /** How many times better tributary is than that; below 1, worse. */
  readonly times: number | null
  readonly verdict: 'win' | 'tie' | 'loss' | null
  /** Whether what was expected has come; null where nothing was. */
  readonly asExpected: boolean | null
}

/** Void runs count for nothing. Metrics without any run are left out. */
export function compareRuns(runs: readonly Run[], rates: readonly number[]): readonly Line[] {
  return metricsFor(rates).flatMap((metric) => {
    const values = mediansOf(runs, metric)
    if (values.size === 0) return []
    const rivals = [...values].filter(([contender]) => contender.startsWith('debezium'))
    const better = (a: number, b: number) => (metric.better === 'higher' ? a > b : a < b)
    const best = rivals.reduce<Line['best']>(
      (found, [contender, value]) => (found === null || better(value, found.value) ? { contender, value } : found),
      null,
    )
    const ours = values.get('tributary')
    const times = ours === undefined || best === null ? null : timesBetter(metric, ours, best.value)
    return [
      { metric, values, best, times, verdict: verdictOf(times), asExpected: expectationOf(metric, values, times) },
    ]
  })
}

function mediansOf(runs: readonly Run[], { scenario, figure }: Metric): Map<Contender, number> {
  const found = new Map<Contender, number[]>()
  for (const run of runs) {
    const value = run.figures[figure]
    if (run.scenario !== scenario || run.void !== null || value === undefined) continue
    found.set(run.contender, [...(found.get(run.contender) ?? []), value])
  }
  return new Map([...found].map(([contender, values]) => [contender, median(values)]))
}

function timesBetter({ better }: Metric, ours: number, theirs: number): number | null {
  if (ours === theirs) return 1
  const times = better === 'higher' ? ours / theirs : theirs / ours
  return Number.isFinite(times) ? times : null
}

export function verdictOf(times: number | null): Line['verdict'] {
  if (times === null) return null
  if (times > 1 + TIE_SHARE) return 'win'
  return times < 1 / (1 + TIE_SHARE) ? 'loss' : 'tie'
}

function expectationOf(
  metric: Metric,
  values: ReadonlyMap<Contender, number>,
  timesBest: number | null,
): boolean | null {
  const ours = values.get('tributary')
  if (ours === undefined || (metric.expected.length === 0 && metric.bound === undefined)) return null
  const reached = metric.expected.map(({ times, than }) => {
    const theirs = than === 'best' ? undefined : values.get(than)
    const reachedTimes = than === 'best' ? timesBest : theirs === undefined ? null : timesBetter(metric, ours, theirs)
    return reachedTimes === null ? null : reachedTimes >= times
  })
  if (metric.bound !== undefined) reached.push(ours <= metric.bound)
  if (reached.includes(false)) return false
  // What it is to be compared with was not measured.
  return reached.includes(null) ? null : true
}

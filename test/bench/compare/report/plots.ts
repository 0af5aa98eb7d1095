import { formatValue, median } from '../../support/statistics.ts'
import { type Bar, drawPlot, type Plot } from '../../support/svg.ts'
import type { Contender, Run, Scenario } from '../results.ts'
import { DEBEZIUM_TITLES } from '../worker/settings.ts'

const TITLES: Readonly<Record<Contender, string>> = {
  bare: 'bare reader',
  tributary: 'tributary',
  ...DEBEZIUM_TITLES,
}

interface Wanted {
  readonly file: string
  readonly title: string
  readonly caption: string
  readonly scenario: Scenario
  /** Label of the group → figure. */
  readonly figures: Readonly<Record<string, string>>
}

function wantedPlots(rates: readonly number[]): readonly Wanted[] {
  const at = (figure: string) =>
    Object.fromEntries(rates.map((rate) => [`${rate} changes a second`, `${figure}At${rate}`]))
  return [
    {
      file: 'capture.svg',
      title: 'Capture of a backlog',
      caption: 'changes a second; more is better',
      scenario: 'capture',
      figures: { '': 'recordsPerSecond' },
    },
    {
      file: 'bytes.svg',
      title: 'One change on the topic',
      caption: 'bytes of key, value and headers; less is better',
      scenario: 'capture',
      figures: { '': 'bytesPerChange' },
    },
    {
      file: 'capture-cost.svg',
      title: 'What a captured change costs',
      caption: 'microseconds of processor time; less is better',
      scenario: 'capture',
      figures: { '': 'cpuMicrosPerChange' },
    },
    {
      file: 'memory.svg',
      title: 'Memory of capture',
      caption: 'the most that was resident while the backlog was captured, MB; less is better',
      scenario: 'capture',
      figures: { '': 'peakMb' },
    },
    {
      file: 'apply.svg',
      title: 'Apply to a PostgreSQL warehouse',
      caption: 'changes a second; more is better',
      scenario: 'apply',
      figures: { '': 'recordsPerSecond' },
    },
    {
      file: 'latency-p50.svg',
      title: 'Latency, one change of two',
      caption: 'from when the change was due until it is seen at the warehouse, ms, p50; less is better',
      scenario: 'latency',
      figures: at('p50Ms'),
    },
    {
      file: 'latency-p99.svg',
      title: 'Latency, all but one of a hundred',
      caption: 'from when the change was due until it is seen at the warehouse, ms, p99; less is better',
      scenario: 'latency',
      figures: at('p99Ms'),
    },
    {
      file: 'restart.svg',
      title: 'First event after SIGKILL',
      caption: 'from the kill, with a new process started at once, ms; less is better',
      scenario: 'restart',
      figures: { '': 'killToFirstMs' },
    },
  ]
}

/** File name → SVG, for what was measured. */
export function drawPlots(runs: readonly Run[], rates: readonly number[]): ReadonlyMap<string, string> {
  const plots = new Map<string, string>()
  for (const { file, title, caption, scenario, figures } of wantedPlots(rates)) {
    const groups: Plot['groups'] = Object.entries(figures)
      .map(([label, figure]) => ({ label, bars: barsOf(runs, scenario, figure) }))
      .filter(({ bars }) => bars.length > 0)
    if (groups.length > 0) plots.set(file, drawPlot({ title, caption, groups, format: formatValue }))
  }
  return plots
}

function barsOf(runs: readonly Run[], scenario: Scenario, figure: string): Bar[] {
  return (Object.keys(TITLES) as Contender[]).flatMap((contender) => {
    const values = runs.flatMap((run) =>
      run.scenario === scenario && run.contender === contender && run.void === null && figure in run.figures
        ? [run.figures[figure]!]
        : [],
    )
    if (values.length === 0) return []
    const kind = contender === 'tributary' ? 'ours' : contender === 'bare' ? 'ceiling' : 'theirs'
    return [
      { label: TITLES[contender], value: median(values), low: Math.min(...values), high: Math.max(...values), kind },
    ]
  })
}

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { progressPrinter } from '../../../ops/stack/progress-printer.ts'
import { describeMachine } from '../support/machine.ts'
import { formatValue } from '../support/statistics.ts'
import type { Figures, Surroundings } from '../support/surroundings.ts'
import { compareRuns } from './report/metrics.ts'
import { drawPlots } from './report/plots.ts'
import { formatPage, formatTable } from './report/table.ts'
import type { Results, Run, Scenario } from './results.ts'
import { SCENARIOS } from './results.ts'
import { compareApply } from './scenarios/apply.ts'
import { type Bench, type CompareOptions, createBench } from './scenarios/bench.ts'
import { compareCapture } from './scenarios/capture.ts'
import { compareLatency } from './scenarios/latency.ts'
import { compareRestart } from './scenarios/restart.ts'
import { createStage } from './stage.ts'
import { fetchArtifacts } from './worker/artifacts.ts'

export interface CompareFlags extends CompareOptions {
  readonly only?: readonly Scenario[]
  /** Where the results and the plots go. */
  readonly out: string
}

const SCENARIO: Readonly<Record<Scenario, (bench: Bench) => Promise<void>>> = {
  capture: compareCapture,
  apply: compareApply,
  latency: compareLatency,
  restart: compareRestart,
}

/** Runs the comparison and keeps what comes of it after every single measurement. */
export async function benchCompare(around: Surroundings, flags: CompareFlags): Promise<Figures> {
  const { progress } = around
  const { rows, keys, repeat, rates, seconds, beside } = flags
  const startedAt = new Date()
  const machine = describeMachine()
  const download = progressPrinter(process.stderr)
  const artifacts = await fetchArtifacts(process.env, (text) =>
    download.print({ service: 'download', state: 'downloading', text }),
  )
  download.end()
  const runs: Run[] = []
  const results = (): Results => ({
    startedAt: startedAt.toISOString(),
    minutes: Math.round((Date.now() - startedAt.getTime()) / 6_000) / 10,
    machine,
    options: { rows, keys, repeat, rates, seconds, beside },
    versions: artifacts.versions,
    runs,
  })
  for (const scenario of SCENARIOS.filter((one) => flags.only === undefined || flags.only.includes(one))) {
    const stage = await createStage(around, artifacts, scenario === 'restart')
    const bench = createBench(stage, progress, { rows, keys, repeat, rates, seconds, beside }, (run) => {
      runs.push(run)
      writeReport(flags.out, results())
      progress.end()
      console.error(describeRun(run))
    })
    try {
      await SCENARIO[scenario](bench)
    } catch (error) {
      // The other scenarios go on; the exit code tells.
      progress.end()
      console.error(`${scenario} failed: ${(error as Error).stack}`)
      process.exitCode = 1
    } finally {
      await stage.close()
    }
  }
  progress.end()
  return { ...results() }
}

/** The results as a file, a page and plots. */
function writeReport(folder: string, results: Results): void {
  mkdirSync(folder, { recursive: true })
  const lines = compareRuns(results.runs, results.options.rates)
  writeFileSync(join(folder, 'compare.json'), `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(join(folder, 'results.md'), formatPage(lines, results))
  for (const [file, svg] of drawPlots(results.runs, results.options.rates)) writeFileSync(join(folder, file), svg)
}

export function printComparison(figures: Figures): void {
  const results = figures as unknown as Results
  console.log(formatTable(compareRuns(results.runs, results.options.rates), results))
}

function describeRun({ contender, figures, void: reason }: Run): string {
  if (reason !== null) return `  ${contender}: void, ${reason}`
  const parts = Object.entries(figures).map(([name, value]) => `${name} ${formatValue(value)}`)
  return `  ${contender}: ${parts.join(', ')}`
}

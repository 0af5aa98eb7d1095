import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { addressEnvironment } from '../../../ops/stack/addresses.ts'
import { progressPrinter } from '../../../ops/stack/progress-printer.ts'
import { startStack } from '../../../ops/stack/stack.ts'
import { createBenchPipeline } from './bench-pipeline.ts'
import { killChildren } from './child.ts'
import { describeMachine } from './machine.ts'
import { type Progress, showProgress } from './progress.ts'
import { printFigures } from './report.ts'
import type { BenchRun } from './run.ts'

export interface SharedFlags {
  readonly json?: boolean
  readonly cpuProf?: string
}

export type Figures = Readonly<Record<string, unknown>>

/** What every benchmark runs in: a stack whose addresses are in the environment. */
export interface Surroundings {
  readonly progress: Progress
  readonly profileFolder: string | undefined
  /** Aborted before anything is cleaned up because somebody interrupts the benchmark. */
  readonly interrupted: AbortSignal
  /** Runs at the end, whatever the end is; the last one given first. */
  atEnd(cleanUp: () => Promise<void>): void
}

const INTERRUPTED = 130

/** Runs a benchmark on the stack (its own where none is given), prints its figures, and leaves nothing behind. */
export async function runBench(
  name: string,
  flags: SharedFlags,
  bench: (surroundings: Surroundings) => Promise<Figures>,
  print: (figures: Figures) => void = printFigures,
): Promise<void> {
  const machine = describeMachine()
  const endings: (() => Promise<void>)[] = []
  const end = async () => {
    await killChildren()
    for (let next = endings.pop(); next !== undefined; next = endings.pop()) await next()
  }
  // A benchmark that is interrupted ends with an error, too: both wait for the one cleaning up.
  let ended: Promise<void> | null = null
  const cleanUp = () => {
    ended ??= end()
    return ended
  }
  const interrupted = new AbortController()
  const interrupt = () => {
    interrupted.abort()
    console.error('\nInterrupted; cleaning up.')
    void cleanUp().finally(() => process.exit(INTERRUPTED))
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  try {
    const dataDir = await mkdtemp(join(tmpdir(), 'tributary-bench-'))
    endings.push(() => rm(dataDir, { recursive: true, force: true }))
    const printer = progressPrinter(process.stderr)
    const stack = await startStack({ dataDir, onProgress: printer.print })
    endings.push(() => stack.stop())
    printer.end()
    Object.assign(process.env, addressEnvironment(stack.addresses))
    const profileFolder = flags.cpuProf === undefined ? undefined : resolve(flags.cpuProf)
    const figures = await bench({
      progress: showProgress(),
      profileFolder,
      interrupted: interrupted.signal,
      atEnd: (end) => endings.push(end),
    })
    const result = { bench: name, ...figures, machine }
    if (flags.json) console.log(JSON.stringify(result))
    else print(result)
  } finally {
    await cleanUp()
  }
}

/** The surroundings of a benchmark of one pipeline with the customers' table. */
export function onPipeline(bench: (run: BenchRun) => Promise<Figures>): (around: Surroundings) => Promise<Figures> {
  return async ({ progress, profileFolder, atEnd }) => {
    const pipeline = await createBenchPipeline()
    atEnd(() => pipeline.close())
    return bench({ pipeline, progress, profileFolder })
  }
}

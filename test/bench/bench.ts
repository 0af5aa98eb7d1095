import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { addressEnvironment } from '../../ops/stack/addresses.ts'
import { progressPrinter } from '../../ops/stack/progress-printer.ts'
import { type RunningStack, startStack } from '../../ops/stack/stack.ts'
import { benchCapture } from './capture.ts'
import { benchDeliver } from './deliver.ts'
import { benchLatency } from './latency.ts'
import { type BenchPipeline, createBenchPipeline } from './support/bench-pipeline.ts'
import { killChildren } from './support/child.ts'
import { describeMachine } from './support/machine.ts'
import { showProgress } from './support/progress.ts'
import { printFigures } from './support/report.ts'
import type { BenchRun } from './support/run.ts'

interface SharedFlags {
  readonly json?: boolean
  readonly cpuProf?: string
}

export type Figures = Readonly<Record<string, unknown>>

const INTERRUPTED = 130

/** A benchmark's surroundings: the stack where none is given, a pipeline of its own, and an end that leaves nothing behind. */
async function runBench(name: string, flags: SharedFlags, bench: (run: BenchRun) => Promise<Figures>): Promise<void> {
  const machine = describeMachine()
  let stack: RunningStack | null = null
  let dataDir: string | null = null
  let pipeline: BenchPipeline | null = null
  const cleanUp = async () => {
    await killChildren()
    await pipeline?.close()
    await stack?.stop()
    if (dataDir !== null) await rm(dataDir, { recursive: true, force: true })
  }
  const interrupt = () => {
    console.error('\nInterrupted; cleaning up.')
    void cleanUp().finally(() => process.exit(INTERRUPTED))
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  try {
    dataDir = await mkdtemp(join(tmpdir(), 'tributary-bench-'))
    const printer = progressPrinter(process.stderr)
    stack = await startStack({ dataDir, onProgress: printer.print })
    printer.end()
    Object.assign(process.env, addressEnvironment(stack.addresses))
    pipeline = await createBenchPipeline()
    const profileFolder = flags.cpuProf === undefined ? undefined : resolve(flags.cpuProf)
    const figures = await bench({ pipeline, progress: showProgress(), profileFolder })
    const result = { bench: name, ...figures, machine }
    if (flags.json) console.log(JSON.stringify(result))
    else printFigures(result)
  } finally {
    await cleanUp()
  }
}

function count(text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new InvalidArgumentError('It is a whole number from 1 on.')
}

function benchmark(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--json', 'print one JSON object as the last line')
    .option('--cpu-prof <folder>', "write CPU profiles of the pipeline's processes there")
}

const program = new Command('bench').description(
  'measure the pipeline on this machine; without addresses in the environment the local stack is started for it',
)
program.addCommand(
  benchmark('capture', 'drain a backlog of changes from PostgreSQL to Kafka, beside a reader that throws them away')
    .option('--rows <number>', 'changes in the backlog', count, 200_000)
    .option('--keys <number>', 'rows they are spread over', count, 20_000)
    .option('--rounds <number>', 'times each is measured', count, 2)
    .option('--transaction-rows <number>', 'changes in one transaction at the source', count, 1)
    .action((flags) => runBench('capture', flags, (run) => benchCapture(run, flags))),
)
program.addCommand(
  benchmark('deliver', 'drain a backlog of deltas from Kafka into the warehouse, with the ledger on')
    .option('--rows <number>', 'changes in the backlog', count, 200_000)
    .option('--keys <number>', 'rows they are spread over', count, 20_000)
    .option('--rounds <number>', 'times each is measured', count, 2)
    .option('--transaction-rows <number>', 'changes in one transaction at the source', count, 1)
    .action((flags) => runBench('deliver', flags, (run) => benchDeliver(run, flags))),
)
program.addCommand(
  benchmark('latency', 'from the commit at the source to the commit at the warehouse, at a steady rate')
    .option('--rate <number>', 'changes per second', count, 1_000)
    .option('--seconds <number>', 'how long', count, 20)
    .option('--rows <number>', 'rows the changes are spread over', count, 20_000)
    .action((flags) => runBench('latency', flags, (run) => benchLatency(run, flags))),
)
await program.parseAsync()

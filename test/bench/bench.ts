import { Command, InvalidArgumentError, Option } from 'commander'
import { benchCapture } from './capture.ts'
import { benchCompare, printComparison } from './compare/compare.ts'
import { SCENARIOS } from './compare/results.ts'
import { DEBEZIUM_NAMES } from './compare/worker/settings.ts'
import { benchDeliver } from './deliver.ts'
import { benchDlq, COMMANDS } from './dlq/dlq.ts'
import { AXES } from './growth/axes.ts'
import { benchGrowth, printGrowth } from './growth/growth.ts'
import { benchLanes, KEYS, printLanes } from './lanes/lanes.ts'
import { benchLatency } from './latency.ts'
import { benchMembers } from './members/members.ts'
import { benchMemory, printMemory, SCENARIO_NAMES } from './memory/memory.ts'
import { benchOutage } from './outage/outage.ts'
import { onPipeline, runBench } from './support/surroundings.ts'

function count(text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new InvalidArgumentError('It is a whole number from 1 on.')
}

function amount(text: string): number {
  const number = Number(text)
  if (number > 0 && Number.isFinite(number)) return number
  throw new InvalidArgumentError('It is a number above 0.')
}

/** Several of them; what is given takes the place of the default. */
function counts(text: string, before: readonly number[]): readonly number[] {
  return before === KEYS ? [count(text)] : [...before, count(text)]
}

const RATES: readonly number[] = [200, 500, 1_000]

function rates(text: string, before: readonly number[]): readonly number[] {
  return before === RATES ? [count(text)] : [...before, count(text)]
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
    .action((flags) =>
      runBench(
        'capture',
        flags,
        onPipeline((run) => benchCapture(run, flags)),
      ),
    ),
)
program.addCommand(
  benchmark('deliver', 'drain a backlog of deltas from Kafka into the warehouse, with the ledger on')
    .option('--rows <number>', 'changes in the backlog', count, 200_000)
    .option('--keys <number>', 'rows they are spread over', count, 20_000)
    .option('--rounds <number>', 'times each is measured', count, 2)
    .option('--transaction-rows <number>', 'changes in one transaction at the source', count, 1)
    .action((flags) =>
      runBench(
        'deliver',
        flags,
        onPipeline((run) => benchDeliver(run, flags)),
      ),
    ),
)
program.addCommand(
  benchmark('latency', 'from the commit at the source to the commit at the warehouse, at a steady rate')
    .option('--rate <number>', 'changes per second', count, 1_000)
    .option('--seconds <number>', 'how long', count, 20)
    .option('--rows <number>', 'rows the changes are spread over', count, 20_000)
    .action((flags) =>
      runBench(
        'latency',
        flags,
        onPipeline((run) => benchLatency(run, flags)),
      ),
    ),
)
program.addCommand(
  benchmark('memory', 'the most memory that capture takes, doing nothing and with large work, at full speed')
    .addOption(new Option('--scenario <names...>', 'all when none is given').choices(SCENARIO_NAMES))
    .option('--scale <share>', 'share of the rows of each scenario', Number, 1)
    .action((flags) => runBench('memory', flags, (around) => benchMemory(around, flags), printMemory)),
)
program.addCommand(
  benchmark('dlq', 'the memory that listing and replaying the dead letters of a subscriber takes')
    .option('--letters <number>', 'how many', count, 100_000)
    .option('--bytes <number>', 'bytes of each refused record', count, 1_000)
    .addOption(new Option('--only <commands...>', 'all when none is given').choices(COMMANDS))
    .action((flags) => runBench('dlq', flags, (around) => benchDlq(around, flags))),
)
program.addCommand(
  benchmark('lanes', 'how throughput grows with the number of keys, at a destination with slow requests')
    .option('--keys <numbers...>', 'how many have work, point by point', counts, KEYS)
    .option('--concurrency <number>', 'the most requests under way', count, 64)
    .option('--request-ms <number>', 'how long one request takes', count, 5)
    .option('--rounds <number>', 'windows of each point', count, 5)
    .option('--window-ms <number>', 'how long each is', count, 1_000)
    .action((flags) => runBench('lanes', flags, (around) => benchLanes(around, flags), printLanes)),
)
program.addCommand(
  benchmark('outage', 'what two subscribers notice while a third is down, and how that one catches up')
    .option('--minutes <number>', 'how long it is down', amount, 10)
    .option('--rate <number>', 'changes per second', count, 200)
    .option('--keys <number>', 'rows the changes are spread over', count, 2_000)
    .option('--windows <number>', 'pairs of windows, up and down, before that', count, 5)
    .option('--window-seconds <number>', 'how long each is', count, 30)
    .action((flags) => runBench('outage', flags, (around) => benchOutage(around, flags))),
)
program.addCommand(
  benchmark('members', 'what a load notices of members that are killed or restarted, and of brokers that are')
    .option('--minutes <number>', 'how long', amount, 3)
    .option('--rate <number>', 'changes per second', count, 300)
    .option('--members <number>', 'processes of the subscriber', count, 3)
    .option('--every <seconds>', 'how often one of them is ended and started again', count, 20)
    .option('--rolling', 'in good order instead of killed')
    .option('--brokers <number>', 'in a cluster of their own, each restarted in its turn', count, 1)
    .action((flags) => runBench('members', flags, (around) => benchMembers(around, flags))),
)
program.addCommand(
  benchmark('growth', 'how rate, latency and memory move with keys, partitions, subscribers, columns and bytes')
    .addOption(new Option('--axis <names...>', 'all when none is given').choices(AXES))
    .option('--scale <share>', 'share of the changes and of the time at each point', amount, 1)
    .option('--most <number>', 'leave out points beyond it, but never the base point', count)
    .option('--out <folder>', 'where the results and the plots go', 'docs/benchmarks')
    .action((flags) => runBench('growth', flags, (around) => benchGrowth(around, flags), printGrowth)),
)
program.addCommand(
  new Command('compare')
    .description('tributary beside Debezium, on the same database, broker and rows; the plug-ins come with Maven')
    .option('--json', 'print one JSON object as the last line')
    .addOption(new Option('--only <scenarios...>', 'all when none is given').choices(SCENARIOS))
    .addOption(
      new Option('--beside <variants...>', "which of Debezium's variants")
        .choices(DEBEZIUM_NAMES)
        .default(DEBEZIUM_NAMES),
    )
    .option('--repeat <number>', 'times each is measured, every other time in reverse order', count, 5)
    .option('--rows <number>', 'changes in a backlog', count, 60_000)
    .option('--keys <number>', 'rows they are spread over', count, 20_000)
    .option('--rates <numbers...>', 'changes a second, for the latency', rates, RATES)
    .option('--seconds <number>', 'how long each rate is held', count, 10)
    .option('--out <folder>', 'where the results and the plots go', 'docs/benchmarks')
    .action((flags) => runBench('compare', flags, (around) => benchCompare(around, flags), printComparison)),
)
await program.parseAsync()

import { Command, Option } from 'commander'
import { wholeNumber } from '../cli/options.ts'
import { loadDeclaration } from '../declaration/declaration.ts'
import { findSource } from './capture.ts'
import { findSubscriber } from './delivery.ts'
import { createEnvironment } from './environment.ts'
import { METRICS_PORT } from './health-server.ts'
import { createLog, createTerminalLog, LOG_LEVELS, type LogLevel } from './log.ts'
import { type ProcessOptions, runProcess } from './run.ts'
import { untilAskedToStop } from './signals.ts'

interface ProcessFlags {
  readonly file: string
  readonly host: string
  readonly port: number
  readonly logLevel: LogLevel
  readonly json?: boolean
}

/** What a process does. */
type Parts = Pick<ProcessOptions, 'sources' | 'subscribers' | 'exporter'>

/** `tributary run`: every source and every subscriber in one process, for one machine. */
export function runCommand(): Command {
  return withFlags(new Command('run'))
    .description('capture every source and deliver to every subscriber in this process')
    .action(async (flags: ProcessFlags) => {
      await start(flags, (declaration) => ({
        sources: [...declaration.sources.keys()],
        subscribers: [...declaration.subscribers.keys()],
        exporter: true,
      }))
    })
}

/** `tributary capture <source>`: one process a source. */
export function captureCommand(): Command {
  return withFlags(new Command('capture'))
    .description('capture one source: its changes to the topics')
    .argument('<source>', 'a source of the declaration')
    .action(async (source: string, flags: ProcessFlags) => {
      await start(flags, (declaration) => ({ sources: [findSource(declaration, source).name], subscribers: [] }))
    })
}

/** `tributary deliver <subscriber>`: as many processes as are wanted; the group shares the partitions. */
export function deliverCommand(): Command {
  return withFlags(new Command('deliver'))
    .description('deliver to one subscriber: from the topics to it; start more of the same to scale out')
    .argument('<subscriber>', 'a subscriber of the declaration')
    .action(async (subscriber: string, flags: ProcessFlags) => {
      await start(flags, (declaration) => ({
        sources: [],
        subscribers: [findSubscriber(declaration, subscriber).name],
      }))
    })
}

/** `tributary exporter`: one for the whole pipeline. */
export function exporterCommand(): Command {
  return withFlags(new Command('exporter'))
    .description('tell Prometheus what no single process sees: lag, dead letters, the servers; one for all')
    .action(async (flags: ProcessFlags) => {
      await start(flags, () => ({ sources: [], subscribers: [], exporter: true }))
    })
}

function withFlags(command: Command): Command {
  return command
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--host <address>', 'where /metrics, /healthz and /readyz are served', '127.0.0.1')
    .option('--port <number>', 'its port; 0 for any free one', wholeNumber(0, 65_535), METRICS_PORT)
    .addOption(new Option('--log-level <level>', 'how much is logged').choices(LOG_LEVELS).default('info'))
    .option('--json', 'one JSON object on stdout once it runs')
}

async function start(
  flags: ProcessFlags,
  choose: (declaration: ReturnType<typeof loadDeclaration>) => Parts,
): Promise<void> {
  const declaration = loadDeclaration(flags.file, process.env)
  const parts = choose(declaration)
  const readable = process.stderr.isTTY && !flags.json
  const log = readable ? createTerminalLog(flags.logLevel) : createLog(flags.logLevel)
  const signal = untilAskedToStop()
  const onRunning = (url: string) => {
    if (flags.json) console.log(JSON.stringify({ ok: true, url, ...parts }))
  }
  await runProcess(
    createEnvironment(declaration, log),
    { ...parts, host: flags.host, port: flags.port, onRunning },
    signal,
  )
}

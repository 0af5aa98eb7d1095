import { Argument, Command } from 'commander'
import { wholeNumber } from '../cli/options.ts'
import { type StackAddresses, withoutPassword } from './addresses.ts'
import { dataFolder } from './data-folder.ts'
import { progressPrinter } from './progress-printer.ts'
import { SERVICE_NAMES, SERVICE_TITLES, type ServiceName } from './services.ts'
import { type StackStatus, stackLogs, stackStatus, startDetachedStack, stopStack } from './stack.ts'

const TITLE_WIDTH = 19
const STATE_WIDTH = 9

const LINES_MAX = 10_000

/** `tributary stack start|stop|status|logs`. The caller reports errors and sets the exit code from them. */
export function stackCommand(): Command {
  const stack = new Command('stack').description('run Kafka, the schema registry, Redis and PostgreSQL on this machine')
  stack
    .command('start')
    .description('start the servers; they go on until `tributary stack stop`')
    .option('--json', 'one JSON object instead of text')
    .action(async (options: JsonOption) => await start(options.json === true))
  stack
    .command('stop')
    .description('stop the servers and wait until they are gone; their data stays')
    .option('--json', 'one JSON object instead of text')
    .action(async (options: JsonOption) => await stop(options.json === true))
  stack
    .command('status')
    .description('show which servers run, and where')
    .option('--json', 'one JSON object instead of text')
    .action(async (options: JsonOption) => await status(options.json === true))
  stack
    .command('logs')
    .description("show the end of the servers' logs")
    .addArgument(new Argument('[service]', 'one of the servers').choices(SERVICE_NAMES))
    .option('-n, --lines <count>', 'how many lines of each', wholeNumber(1, LINES_MAX), 40)
    .option('--json', 'one JSON object instead of text')
    .action(
      async (service: ServiceName | undefined, options: JsonOption & { lines: number }) => await logs(service, options),
    )
  return stack
}

interface JsonOption {
  readonly json?: boolean
}

async function start(json: boolean): Promise<void> {
  const before = await stackStatus()
  if (before.running && before.services.every(({ state }) => state === 'ready' || state === 'given')) {
    printStatus(before, json, 'The local stack already runs.')
    return
  }
  const interrupted = new AbortController()
  const interrupt = (signal: NodeJS.Signals) => interrupted.abort(new Interruption(signal))
  const printer = progressPrinter(process.stderr)
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  try {
    await startDetachedStack({ signal: interrupted.signal, onProgress: printer.print })
  } catch (error) {
    printer.end()
    if (!(error instanceof Interruption)) throw error
    process.stderr.write('Interrupted: everything that was started has been stopped.\n')
    process.exitCode = error.exitCode
    return
  } finally {
    printer.end()
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
  printStatus(await stackStatus(), json, 'The local stack runs. Stop it with `tributary stack stop`.')
}

/** The user's wish, not a failure. */
class Interruption extends Error {
  /** As shells report an end by a signal. */
  readonly exitCode: number

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`)
    this.exitCode = signal === 'SIGINT' ? 130 : 143
  }
}

async function stop(json: boolean): Promise<void> {
  const stopped = await stopStack()
  if (json) printJson({ stopped })
  else if (stopped.length === 0) console.log('No local stack is running.')
  else console.log(`Stopped: ${stopped.map((name) => SERVICE_TITLES[name]).join(', ')}. The data is kept.`)
}

async function status(json: boolean): Promise<void> {
  const found = await stackStatus()
  printStatus(
    found,
    json,
    found.running ? undefined : 'No local stack is running. Start one with `tributary stack start`.',
  )
}

function printStatus(found: StackStatus, json: boolean, firstLine: string | undefined): void {
  const addresses = shownAddresses(found.addresses)
  const passwordFile = dataFolder(found.dataDir).passwordFile
  if (json) {
    printJson({ ...found, addresses, postgresPasswordFile: passwordFile })
    return
  }
  if (firstLine !== undefined) console.log(firstLine)
  const address: Record<ServiceName, string> = {
    kafka: addresses.kafkaBrokers,
    registry: addresses.registryUrl,
    redis: addresses.redisUrl,
    postgres: addresses.postgresUrl,
  }
  for (const { name, state, pid } of found.services) {
    const process = pid === undefined ? '' : `  process ${pid}`
    console.log(`  ${SERVICE_TITLES[name].padEnd(TITLE_WIDTH)}${state.padEnd(STATE_WIDTH)}${address[name]}${process}`)
  }
  if (!found.running) return
  console.log(`  data and logs in ${found.dataDir}; PostgreSQL's password in ${passwordFile}`)
  if (found.attached === true) console.log('  It ends with the process that started it.')
}

function shownAddresses(addresses: StackAddresses): StackAddresses {
  return {
    kafkaBrokers: addresses.kafkaBrokers,
    registryUrl: withoutPassword(addresses.registryUrl),
    redisUrl: withoutPassword(addresses.redisUrl),
    postgresUrl: withoutPassword(addresses.postgresUrl),
  }
}

async function logs(service: ServiceName | undefined, options: JsonOption & { lines: number }): Promise<void> {
  const found = await stackLogs({ linesMax: options.lines, ...(service === undefined ? {} : { service }) })
  if (options.json === true) {
    printJson({ logs: found })
    return
  }
  for (const { service: name, file, lines } of found) {
    console.log(`${SERVICE_TITLES[name]}: ${file}`)
    for (const line of lines) console.log(`  ${line}`)
    if (lines.length === 0) console.log('  (nothing yet)')
  }
}

function printJson(value: object): void {
  console.log(JSON.stringify(value))
}

import { Command, CommanderError } from 'commander'
import { blobsCommand } from '../blobs/command.ts'
import { deadLettersCommand } from '../dead-letters/command.ts'
import { validateCommand } from '../declaration/command.ts'
import { lagCommand } from '../lag/command.ts'
import { previewCommand } from '../preview/command.ts'
import { captureCommand, deliverCommand, exporterCommand, runCommand } from '../process/command.ts'
import { provisionCommand } from '../provision/command.ts'
import { recoverCommand } from '../recover/command.ts'
import { resyncCommand } from '../resync/command.ts'
import { rewindCommand } from '../rewind/command.ts'
import { snapshotCommand } from '../snapshot/command.ts'
import { stackCommand } from '../stack/command.ts'
import { statusCommand } from '../status/command.ts'
import { subscriberCommand } from '../subscriber/command.ts'
import { traceCommand } from '../trace/command.ts'
import { verifyCommand } from '../verify/command.ts'
import { formatReport, reportOf } from './report.ts'

/** A connection that a library still waits for must not hold up the end of a command that has given its answer. */
const LINGER_MS = 500

const json = process.argv.includes('--json')
process.on('uncaughtException', (error) => {
  fail(error)
  process.exit()
})

const program = new Command('tributary').description(
  'Change data capture and pub-sub over Kafka: every change once, in order per key, at every subscriber.',
)

for (const command of [
  validateCommand(),
  provisionCommand(),
  runCommand(),
  captureCommand(),
  deliverCommand(),
  exporterCommand(),
  statusCommand(),
  lagCommand(),
  traceCommand(),
  snapshotCommand(),
  recoverCommand(),
  verifyCommand(),
  deadLettersCommand(),
  resyncCommand(),
  rewindCommand(),
  previewCommand(),
  subscriberCommand(),
  blobsCommand(),
  stackCommand(),
])
  program.addCommand(command)
prepare(program)

try {
  await program.parseAsync()
} catch (error) {
  fail(error)
}
setTimeout(() => process.exit(), LINGER_MS).unref()

/** Usage errors, those of subcommands too, come here as exceptions: exit code 2, and one way to say so. */
function prepare(command: Command): void {
  command.exitOverride().configureOutput({ outputError: () => {} })
  for (const child of command.commands) prepare(child)
}

function fail(error: unknown): void {
  // Help or the version, asked for or given because nothing was.
  if (error instanceof CommanderError && (error.exitCode === 0 || error.code === 'commander.help')) {
    process.exitCode = error.exitCode === 0 ? 0 : 2
    return
  }
  const report = reportOf(error)
  process.exitCode = report.exitCode
  if (json) console.log(JSON.stringify({ ok: false, error: { code: report.code, message: report.message } }))
  else console.error(formatReport(report))
  if (process.env.TRIBUTARY_DEBUG && error instanceof Error) console.error(error)
}

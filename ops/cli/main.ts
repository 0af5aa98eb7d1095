import { type Command, CommanderError } from 'commander'
import { createProgram } from './program.ts'
import { formatReport, reportOf } from './report.ts'

/** A connection that a library still waits for must not hold up the end of a command that has given its answer. */
const LINGER_MS = 500

const json = process.argv.includes('--json')
process.on('uncaughtException', (error) => {
  fail(error)
  process.exit()
})

const program = createProgram()
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

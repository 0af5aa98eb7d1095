#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { TributaryError } from '../../schemas/errors.ts'
import { validateCommand } from '../declaration/command.ts'
import { captureCommand, deliverCommand, runCommand } from '../process/command.ts'
import { provisionCommand } from '../provision/command.ts'
import { stackCommand } from '../stack/command.ts'
import { statusCommand } from '../status/command.ts'

const program = new Command('tributary')
  .description('Change data capture and pub-sub over Kafka: every change once, in order per key, at every subscriber.')
  .version(packageVersion())
  .exitOverride()
  .showHelpAfterError('Run `tributary --help` for the commands.')

for (const command of [
  validateCommand(),
  provisionCommand(),
  runCommand(),
  captureCommand(),
  deliverCommand(),
  statusCommand(),
  stackCommand(),
])
  program.addCommand(inherit(command))

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = report(error)
}

function packageVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}

/** Usage errors of subcommands must come here as well, so that they get exit code 2. */
function inherit(command: Command): Command {
  command.exitOverride()
  for (const child of command.commands) inherit(child)
  return command
}

/** @returns the exit code: 0 ok, 1 runtime, 2 declaration or usage invalid, 3 environment missing */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const json = process.argv.includes('--json')
  const known = error instanceof TributaryError
  const code = known ? error.code : 'defect'
  const message = error instanceof Error ? error.message : String(error)
  if (json) console.log(JSON.stringify({ ok: false, error: { code, message } }))
  else console.error(`tributary: ${message}`)
  if (!known && error instanceof Error) console.error(error.stack)
  return known ? error.exitCode : 1
}

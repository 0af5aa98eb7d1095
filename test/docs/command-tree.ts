import type { Command } from 'commander'
import { createProgram } from '../../ops/cli/program.ts'

/** What the command line offers. */
export interface CommandTree {
  readonly name: string
  readonly flags: readonly string[]
  readonly commands: readonly CommandTree[]
}

export function commandTree(command: Command = createProgram()): CommandTree {
  const flags = command.options.flatMap(({ long, short }) => [long, short].flatMap((flag) => flag ?? []))
  return { name: command.name(), flags, commands: command.commands.map(commandTree) }
}

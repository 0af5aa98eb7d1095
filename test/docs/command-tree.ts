/**
 * Prints what the command line offers, as JSON. A process of its own, because the command line acts as soon as it is loaded: it parses,
 * and ends its process.
 */
import { Command } from 'commander'

export interface CommandTree {
  readonly name: string
  readonly flags: readonly string[]
  readonly commands: readonly CommandTree[]
}

function treeOf(command: Command): CommandTree {
  const flags = command.options.flatMap(({ long, short }) => [long, short].flatMap((flag) => flag ?? []))
  return { name: command.name(), flags, commands: command.commands.map(treeOf) }
}

Command.prototype.parseAsync = function () {
  process.stdout.write(JSON.stringify(treeOf(this)), () => process.exit(0))
  return new Promise(() => {})
}
await import('../../ops/cli/tributary.ts')

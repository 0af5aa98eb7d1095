import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { createProgram } from '../cli/program.ts'

export const COMMANDS_PAGE = new URL('../../docs/reference/commands.md', import.meta.url)

const HEAD = `# Commands

Generated from the command line itself by \`npx node ops/reference/commands-page.ts\`. Each has \`--help\`. Exit codes: 0 all went well, 1
something failed, 2 the declaration or the command is not valid, 3 something is missing in the environment.
`

/** The reference page of the command line, as it stands in the documentation. */
export function formatCommandsPage(): string {
  const leaves = createProgram().commands.flatMap((command) => leavesOf(command, 'tributary'))
  return [HEAD, ...leaves.map(({ name, command }) => formatCommand(name, command))].join('\n')
}

interface Leaf {
  readonly name: string
  readonly command: Command
}

/** Those that do something, not those that only hold others. */
function leavesOf(command: Command, parent: string): Leaf[] {
  const name = `${parent} ${command.name()}`
  if (command.commands.length === 0) return [{ name, command }]
  return command.commands.flatMap((child) => leavesOf(child, name))
}

function formatCommand(name: string, command: Command): string {
  const { registeredArguments } = command
  const usage = [
    name,
    ...registeredArguments.map((argument) => (argument.required ? `<${argument.name()}>` : `[${argument.name()}]`)),
  ]
  const rows = [
    ...registeredArguments.map((argument) => [`\`${argument.name()}\``, argument.description]),
    ...command.options.map((option) => [`\`${option.flags}\``, option.description + defaultText(option.defaultValue)]),
  ]
  return [
    `## ${name}`,
    '',
    `\`${usage.join(' ')}\`: ${command.description()}.`,
    '',
    ...(rows.length === 0
      ? []
      : ['| | |', '| --- | --- |', ...rows.map((row) => `| ${row.map(escapeCell).join(' | ')} |`), '']),
  ].join('\n')
}

function defaultText(value: unknown): string {
  return value === undefined || value === false || (Array.isArray(value) && value.length === 0)
    ? ''
    : ` (default \`${String(value)}\`)`
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(COMMANDS_PAGE, formatCommandsPage())

import { readFileSync } from 'node:fs'

const words = readFileSync(new URL('../../ops/cli/tributary.ts', import.meta.url), 'utf8')
  .split('\n', 1)[0]!
  .split(' ')

/** How the command is started: by its own first line. With other flags its memory is another. */
export const NODE_FLAGS: readonly string[] = words.filter((word) => word.startsWith('--'))

/** What the first line sets besides. */
export const COMMAND_ENV: Readonly<Record<string, string>> = Object.fromEntries(
  words.filter((word) => /^[A-Z_]+=/.test(word)).map((word) => word.split('=') as [string, string]),
)

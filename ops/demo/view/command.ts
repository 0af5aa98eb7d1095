import { displayWidth } from './width.ts'

const CONTINUED = ' \\'
const INDENT = '  '

/**
 * A shell command in lines of at most `columns` cells that still does the same when they are copied and pasted: between arguments
 * a line ends with a backslash; inside a double-quoted argument (SQL) it breaks at a space.
 * A single word that is longer than a line stays whole.
 */
export function wrapCommand(command: string, columns: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const argument of argumentsOf(command)) {
    if (line === '') line = argument
    else if (displayWidth(`${line} ${argument}`) <= columns - CONTINUED.length) line += ` ${argument}`
    else {
      lines.push(line + CONTINUED)
      line = INDENT + argument
    }
    let opening = line.length - argument.length + argument.indexOf('"')
    while (argument.includes('"') && displayWidth(line) > columns) {
      const at = line.slice(0, columns).lastIndexOf(' ')
      // Only behind the opening quote: a line break before it would end the command.
      if (at <= opening) break
      lines.push(line.slice(0, at))
      line = INDENT + INDENT + line.slice(at + 1)
      opening = INDENT.length + INDENT.length - 1
    }
  }
  if (line !== '') lines.push(line)
  return lines
}

/** The words of a command as they are written; an option stays with its argument: `-c "…"`. */
function argumentsOf(command: string): readonly string[] {
  const words = command.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? []
  const joined: string[] = []
  for (const word of words) {
    const before = joined.at(-1)
    if (before !== undefined && /^-\w$/.test(before)) joined[joined.length - 1] = `${before} ${word}`
    else joined.push(word)
  }
  return joined
}

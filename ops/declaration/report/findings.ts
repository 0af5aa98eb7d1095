import { type Problem, SHOWN_PROBLEMS_MAX, UNKNOWN_FIELD } from '../problem.ts'
import { coverCharacters, maskSecrets } from './mask-secrets.ts'
import { BOLD, BOLD_RED, CYAN, DIM, INDENT, type Look, paint, RED, WIDTH_MAX, wrap } from './terminal-text.ts'

/** Each finding with its line and a caret, then how many there are. `text` is the file as it was checked. */
export function formatFindings(problems: readonly Problem[], text: string, look: Look): string {
  const lines = shownLines(problems, text)
  const gutter = String(problems.at(-1)?.line ?? 1).length
  const findings = problems
    .slice(0, SHOWN_PROBLEMS_MAX)
    .map((problem) => formatFinding(problem, lines[problem.line - 1] ?? '', gutter, look))
  const hidden = problems.length - SHOWN_PROBLEMS_MAX
  if (hidden > 0) findings.push(`and ${hidden} more: --json lists them all\n`)
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  return `${findings.join('\n')}\n${paint(look, BOLD_RED, count)} in ${problems[0]?.file ?? 'the file'}. Nothing was started or changed.\n`
}

/** The lines of the file without their secrets, and without what follows an unknown field. */
function shownLines(problems: readonly Problem[], text: string): readonly string[] {
  const lines = maskSecrets(text).split(/\r?\n/)
  for (const { message, line, column } of problems) {
    if (!message.startsWith(UNKNOWN_FIELD)) continue
    const shown = lines[line - 1] ?? ''
    const colon = shown.indexOf(':', column - 1)
    if (colon >= 0) lines[line - 1] = shown.slice(0, colon + 1) + coverCharacters(shown.slice(colon + 1))
  }
  return lines
}

function formatFinding(problem: Problem, line: string, gutter: number, look: Look): string {
  const place = paint(look, BOLD, `${problem.file}:${problem.line}:${problem.column}`)
  const head = problem.path === '' ? place : `${place}  ${problem.path}`
  const body = wrap(problem.message, WIDTH_MAX - INDENT.length).map((part) => `${INDENT}${paint(look, RED, part)}`)
  const hint =
    problem.suggestion === undefined
      ? []
      : wrap(problem.suggestion, WIDTH_MAX - 5).map(
          (part, index) => `${INDENT}${paint(look, CYAN, index === 0 ? '→' : ' ')} ${part}`,
        )
  const { shown, caret } = excerpt(line, problem.column, WIDTH_MAX - gutter - 6)
  const bar = paint(look, DIM, '|')
  const number = paint(look, DIM, String(problem.line).padStart(gutter))
  return [
    head,
    ...body,
    ...hint,
    `${INDENT}${number} ${bar} ${shown}`.trimEnd(),
    `${INDENT}${' '.repeat(gutter)} ${bar} ${paint(look, RED, caret)}`,
    '',
  ].join('\n')
}

/** The part of a line around a column (from 1), and carets under the word there. */
function excerpt(line: string, column: number, width: number): { shown: string; caret: string } {
  const plain = line.replace(/[\t\p{C}]/gu, ' ')
  const from = column <= width - 20 ? 0 : column - 1 - Math.floor(width / 2)
  const cut = plain.length - from > width
  const shown = `${from > 0 ? '…' : ''}${plain.slice(from + (from > 0 ? 1 : 0), from + width - (cut ? 1 : 0))}${cut ? '…' : ''}`
  const at = Math.max(0, column - 1 - from)
  const word = /^(?:"[^"]*"|'[^']*'|\$\{[^}]*\}|[^\s:,{}[\]#]+)/.exec(shown.slice(at))?.[0] ?? ''
  return { shown, caret: `${' '.repeat(at)}${'^'.repeat(Math.max(1, word.length))}` }
}

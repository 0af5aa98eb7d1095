import { BOLD, GREEN, type Look, paint, RED, WIDTH_MAX, wrap, YELLOW } from '../declaration/report/terminal-text.ts'
import { CHECK_NAMES } from './checks.ts'
import { counted, type Finding, RESULTS, type Result } from './finding.ts'

const STYLES: Readonly<Record<Result, string>> = { fail: RED, unknown: RED, warn: YELLOW, ok: GREEN }
const RESULT_WIDTH = Math.max(...RESULTS.map((result) => result.length)) + 2
const NAME_WIDTH = Math.max(...CHECK_NAMES.map((name) => name.length)) + 2
/** With less room than this beside its subject, a finding begins on a line of its own. */
const FOUND_WIDTH_MIN = 40

/** The findings as a person reads them, within 100 columns: what is wrong with what to do about it, then what is well. */
export function formatFindings(findings: readonly Finding[], look: Look): string[] {
  const wrong = findings.filter(({ result }) => result !== 'ok')
  const well = findings.filter(({ result }) => result === 'ok')
  return [
    ...wrong.flatMap((finding) => [...formatWrong(finding, look), ...(finding.todo === null ? [] : [''])]),
    ...(wrong.at(-1)?.todo === null ? [''] : []),
    ...formatWell(well, look),
    ...(well.length === 0 ? [] : ['']),
    summary(findings, look),
  ]
}

function formatWrong({ name, subject, result, found, todo }: Finding, look: Look): string[] {
  const indent = ' '.repeat(RESULT_WIDTH)
  const head = paint(look, STYLES[result], result) + ' '.repeat(RESULT_WIDTH - result.length) + name.padEnd(NAME_WIDTH)
  if (todo === null) {
    const room = WIDTH_MAX - RESULT_WIDTH - NAME_WIDTH
    const [first = '', ...rest] = wrap(`${subject}: ${found}`, room)
    return [head + first, ...rest.map((line) => ' '.repeat(RESULT_WIDTH + NAME_WIDTH) + line)]
  }
  const hang = (mark: string, text: string) =>
    wrap(text, WIDTH_MAX - RESULT_WIDTH - mark.length).map(
      (line, index) => indent + (index === 0 ? mark : ' '.repeat(mark.length)) + line,
    )
  return [
    head + paint(look, BOLD, subject),
    ...hang('', found),
    ...todo.split('\n').flatMap((line, index) => hang(index === 0 ? '→ ' : '  ', line)),
  ]
}

function formatWell(findings: readonly Finding[], look: Look): string[] {
  if (findings.length === 0) return []
  const subjectWidth = Math.max(...findings.map(({ subject }) => subject.length)) + 2
  const before = RESULT_WIDTH + NAME_WIDTH + subjectWidth
  const room = WIDTH_MAX - before
  return findings.flatMap(({ name, subject, result, found }) => {
    const head =
      paint(look, STYLES[result], result) + ' '.repeat(RESULT_WIDTH - result.length) + name.padEnd(NAME_WIDTH)
    if (room < FOUND_WIDTH_MIN) {
      const indent = ' '.repeat(RESULT_WIDTH)
      return [head + subject, ...wrap(found, WIDTH_MAX - RESULT_WIDTH).map((line) => indent + line)]
    }
    const [first = '', ...rest] = wrap(found, room)
    return [head + subject.padEnd(subjectWidth) + first, ...rest.map((line) => ' '.repeat(before) + line)]
  })
}

function summary(findings: readonly Finding[], look: Look): string {
  const counts = RESULTS.flatMap((result) => {
    const count = findings.filter((finding) => finding.result === result).length
    return count === 0 ? [] : [paint(look, STYLES[result], `${count} ${result}`)]
  })
  return `${counted(findings.length, 'check')}: ${counts.join(', ')}`
}

import type { SourceExamination, TableExamination } from '../../../connectors/postgres/examine.ts'
import { BOLD, GREEN, INDENT, type Look, paint, RED, WIDTH_MAX, wrap, YELLOW } from './terminal-text.ts'

/** What each source's database said: a paragraph per entity, and what forbids capture. */
export function formatExaminations(examinations: readonly SourceExamination[], look: Look): string {
  return examinations.map((examination) => formatExamination(examination, look)).join('')
}

function formatExamination({ name, unreachable, findings, tables }: SourceExamination, look: Look): string {
  const head = `\n${paint(look, BOLD, `database of ${name}`)}\n`
  if (unreachable !== null) return `${head}${lines('!', YELLOW, `not checked: ${unreachable}`, INDENT, look)}`
  const width = Math.max(0, ...tables.map(({ entity }) => entity.length)) + 2
  return [
    head,
    ...findings.map((finding) => lines('✗', RED, finding, INDENT, look)),
    ...tables.map((table) => formatTable(table, width, look)),
  ].join('')
}

function formatTable(table: TableExamination, width: number, look: Look): string {
  const { identity } = table
  const margin = INDENT + ' '.repeat(width)
  const facts = [
    `table ${table.table}`,
    `key ${table.key.join(', ')}`,
    ...(identity === null ? [] : [`identity ${identity.identity}`]),
  ].join(', ')
  const [first, ...more] = wrap(facts, WIDTH_MAX - margin.length)
  return [
    `${INDENT}${paint(look, BOLD, table.entity.padEnd(width))}${first}\n`,
    ...more.map((part) => `${margin}${part}\n`),
    ...consequences(table).map(([good, text]) =>
      good ? lines('✓', GREEN, text, margin, look) : lines('!', YELLOW, text, margin, look),
    ),
    ...table.notes.map((note) => lines('!', YELLOW, note, margin, look)),
    ...table.findings.map((finding) => lines('✗', RED, finding, margin, look)),
  ].join('')
}

function consequences({ identity }: TableExamination): readonly (readonly [good: boolean, text: string])[] {
  if (identity === null) return []
  const full = identity.changedFields === 'known'
  return [
    full
      ? [true, 'updates say which fields changed']
      : [false, 'updates do not say which fields changed; subscribers compare all of them'],
    full
      ? [true, 'large values that did not change come from the log']
      : [false, 'large values that did not change are read from the table again'],
    identity.updatesAndDeletes === 'identified'
      ? [true, 'updates and deletes say which row they are about']
      : identity.updatesAndDeletes === 'not identified'
        ? [false, 'updates and deletes do not say which row they are about']
        : [false, 'the server refuses every UPDATE and DELETE of the table once it is published'],
  ]
}

/** One statement behind a mark, wrapped under itself. */
function lines(mark: string, style: string, text: string, margin: string, look: Look): string {
  return wrap(text.replaceAll(/\s+/g, ' '), WIDTH_MAX - margin.length - 2)
    .map((part, index) => `${margin}${index === 0 ? paint(look, style, mark) : ' '} ${part}\n`)
    .join('')
}

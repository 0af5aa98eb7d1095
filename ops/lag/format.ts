import { type Cell, remark, seconds, table } from '../cli/table.ts'
import { GREEN, type Look, RED, YELLOW } from '../declaration/report/terminal-text.ts'
import type { LagRow, LagState } from './lag.ts'

const STYLES: Readonly<Record<LagState, string>> = { fresh: GREEN, late: YELLOW, unread: RED }

/** The rows as a person reads them: a table of at most 100 columns, and what to do about what is not fresh. */
export function formatLag(rows: readonly LagRow[], failures: readonly string[], look: Look): string[] {
  return [
    ...table(
      ['SUBSCRIBER', 'ENTITY', 'CLASS', 'STATE', 'WAITS', 'TARGET', 'RECORDS', 'MEMBERS', 'RETRYING', 'DEAD'],
      rows.map((row) => cells(row)),
      look,
    ),
    ...advice(rows),
    ...failures.flatMap((message) => ['', ...remark('!', message)]),
  ]
}

function cells(row: LagRow): Cell[] {
  return [
    row.subscriber,
    row.entity,
    row.class,
    { text: row.state, style: STYLES[row.state] },
    seconds(row.lagSeconds),
    seconds(row.targetSeconds),
    String(row.lagRecords),
    String(row.members),
    String(row.retryingLetters ?? '?'),
    String(row.deadLetters ?? '?'),
  ]
}

function advice(rows: readonly LagRow[]): string[] {
  const told: string[] = []
  const unread = new Set(rows.filter(({ state }) => state === 'unread').map(({ subscriber }) => subscriber))
  for (const subscriber of unread) told.push(`Nobody delivers to ${subscriber}. Start: tributary deliver ${subscriber}`)
  const late = new Set(rows.filter(({ state }) => state === 'late').map(({ subscriber }) => subscriber))
  for (const subscriber of late)
    told.push(
      `${subscriber} is later than declared. Its log says what it waits for; docs/operating/what-to-do.md what helps.`,
    )
  const dead = new Set(rows.filter(({ deadLetters }) => deadLetters).map(({ subscriber }) => subscriber))
  for (const subscriber of dead) told.push(`Dead letters wait for a person: tributary dlq list ${subscriber}`)
  return told.length === 0 ? [] : ['', ...told.flatMap((text) => remark('·', text))]
}

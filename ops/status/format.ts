import { type Cell, remark, seconds, table } from '../cli/table.ts'
import { GREEN, type Look, RED, YELLOW } from '../declaration/report/terminal-text.ts'
import type { SourceRow, Status, SubscriberRow } from './status.ts'

/** The status as a person reads it: two tables of at most 100 columns, then what could not be asked. */
export function formatStatus(status: Status, nowMs: number, look?: Look): string[] {
  return [
    ...table(
      ['SOURCE', 'READER', 'SLOT', 'POSITION', 'LAG', 'LAG TIME', 'LOG KEPT', 'DEAD'],
      status.sources.map((row) => sourceCells(row)),
      look,
    ),
    '',
    ...table(
      ['SUBSCRIBER', 'ENTITY', 'LAG RECORDS', 'LAG TIME', 'LAST APPLIED', 'RETRYING', 'DEAD'],
      status.subscribers.map((row) => subscriberCells(row, nowMs)),
      look,
    ),
    ...status.failures.flatMap(({ message }) => ['', ...remark('!', message)]),
  ]
}

function sourceCells(row: SourceRow): Cell[] {
  const { source, active, slot, position, lagBytes, lagSeconds } = row
  const dead = count(row.deadLetters, RED)
  if (slot === null) return [source, '?', '?', '?', '?', '?', '?', dead]
  const lag = [bytes(lagBytes), seconds(lagSeconds)]
  const reader = active ? { text: 'reading', style: GREEN } : { text: 'none', style: RED }
  return [source, reader, slot, position ?? '-', ...lag, kept(row), dead]
}

/** What the source keeps, beside the size at which it gives us up. */
function kept({ retainedBytes, retainedLimitBytes }: SourceRow): string {
  if (retainedBytes === undefined) return '-'
  return `${bytes(retainedBytes)} of ${typeof retainedLimitBytes === 'number' ? bytes(retainedLimitBytes) : 'no limit'}`
}

function subscriberCells(row: SubscriberRow, nowMs: number): Cell[] {
  const { subscriber, entity, lagRecords, lagSeconds, lastAppliedAt, ledgerAnswers } = row
  const letters = [count(row.retryingLetters, YELLOW), count(row.deadLetters, RED)]
  const ago =
    lastAppliedAt === null ? 'never' : `${seconds(Math.round((nowMs - Date.parse(lastAppliedAt)) / 1000))} ago`
  const last = ledgerAnswers ? ago : '?'
  return [subscriber, entity, String(lagRecords ?? '?'), seconds(lagSeconds), last, ...letters]
}

/** Stands out where there are any. */
function count(of: number | null, style: string): Cell {
  const text = String(of ?? '?')
  return of === 0 ? text : { text, style }
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

function bytes(count: number | null): string {
  if (count === null) return '?'
  let size = count
  let unit = 0
  while (size >= 1000 && unit < BYTE_UNITS.length - 1) {
    size /= 1000
    unit++
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${BYTE_UNITS[unit]}`
}

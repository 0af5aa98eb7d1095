import { WIDTH_MAX, wrap } from '../declaration/report/terminal-text.ts'
import type { SourceRow, Status, SubscriberRow } from './status.ts'

/** The status as a person reads it: two tables of at most 100 columns, then what could not be asked. */
export function formatStatus(status: Status, nowMs: number): string[] {
  return [
    ...table(
      ['SOURCE', 'READER', 'SLOT', 'POSITION', 'LAG', 'LAG TIME', 'LOG KEPT', 'DEAD'],
      status.sources.map((row) => sourceCells(row)),
    ),
    '',
    ...table(
      ['SUBSCRIBER', 'ENTITY', 'LAG RECORDS', 'LAG TIME', 'LAST APPLIED', 'RETRYING', 'DEAD'],
      status.subscribers.map((row) => subscriberCells(row, nowMs)),
    ),
    ...status.failures.flatMap(({ message }) => ['', ...failureLines(message)]),
  ]
}

function failureLines(message: string): string[] {
  const lines = message.split('\n').flatMap((line) => wrap(line, WIDTH_MAX - 2))
  return lines.map((line, index) => `${index === 0 ? '!' : ' '} ${line}`)
}

function sourceCells(row: SourceRow): string[] {
  const { source, active, slot, position, lagBytes, lagSeconds } = row
  const dead = String(row.deadLetters ?? '?')
  if (slot === null) return [source, '?', '?', '?', '?', '?', '?', dead]
  const lag = [bytes(lagBytes), seconds(lagSeconds)]
  return [source, active ? 'reading' : 'none', slot, position ?? '-', ...lag, kept(row), dead]
}

/** What the source keeps, beside the size at which it gives us up. */
function kept({ retainedBytes, retainedLimitBytes }: SourceRow): string {
  if (retainedBytes === undefined) return '-'
  return `${bytes(retainedBytes)} of ${typeof retainedLimitBytes === 'number' ? bytes(retainedLimitBytes) : 'no limit'}`
}

function subscriberCells(row: SubscriberRow, nowMs: number): string[] {
  const { subscriber, entity, lagRecords, lagSeconds, lastAppliedAt, ledgerAnswers } = row
  const letters = [row.retryingLetters, row.deadLetters].map((count) => String(count ?? '?'))
  const ago =
    lastAppliedAt === null ? 'never' : `${seconds(Math.round((nowMs - Date.parse(lastAppliedAt)) / 1000))} ago`
  const last = ledgerAnswers ? ago : '?'
  return [subscriber, entity, String(lagRecords ?? '?'), seconds(lagSeconds), last, ...letters]
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

/** How long something is, as a person says it. */
export function seconds(count: number | null): string {
  if (count === null) return '?'
  if (count < 120) return `${Math.max(0, Math.round(count))} s`
  if (count < 7200) return `${Math.round(count / 60)} min`
  return `${Math.round(count / 3600)} h`
}

/** Columns as wide as their widest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)))
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}

import { remark, seconds, table } from '../cli/table.ts'
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
    ...status.failures.flatMap(({ message }) => ['', ...remark('!', message)]),
  ]
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

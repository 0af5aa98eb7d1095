import { type Cell, remark, seconds, table } from '../cli/table.ts'
import { GREEN, type Look, RED, YELLOW } from '../declaration/report/terminal-text.ts'
import type { EntityReport, Report } from './report.ts'

/** The target of the share of answers that are refusals or failures. */
const ERROR_SHARE_MAX = 0.001
/** Above so much of the time late, it is not an incident but a habit. */
const LATE_SHARE_MAX = 0.01

/** The report as a person reads it, in at most 100 columns. */
export function formatReport({ overSeconds, seenSeconds, entities, subscribers, down }: Report, look: Look): string[] {
  const dead = entities.filter(({ deadLetters }) => deadLetters)
  return [
    `The last ${seconds(overSeconds)}${seenSeconds < overSeconds * 0.95 ? `, of which ${seconds(seenSeconds)} are known` : ''}`,
    '',
    ...table(
      ['SUBSCRIBER', 'ENTITY', 'APPLIED', 'P50', 'P99', 'TARGET', 'LATE', 'DEAD', 'OWNER'],
      entities.map(cells),
      look,
    ),
    '',
    ...table(
      ['SUBSCRIBER', 'ERRORS', 'TARGET'],
      subscribers.map(({ subscriber, errorShare }) => [
        subscriber,
        { text: percent(errorShare), style: errorShare !== null && errorShare > ERROR_SHARE_MAX ? RED : GREEN },
        percent(ERROR_SHARE_MAX),
      ]),
      look,
    ),
    '',
    ...(down.length === 0
      ? ['Nothing was down.']
      : table(
          ['PART', 'DOWN'],
          down.map(({ part, seconds: length }) => [part, seconds(length)]),
          look,
        )),
    ...(dead.length === 0 ? [] : ['', ...dead.flatMap((row) => remark('·', deadText(row)))]),
  ]
}

function cells(row: EntityReport): Cell[] {
  const { lateShare } = row
  const style = lateShare === null || lateShare === 0 ? GREEN : lateShare > LATE_SHARE_MAX ? RED : YELLOW
  return [
    row.subscriber,
    row.entity,
    row.applied === null ? '-' : row.applied.toLocaleString('en'),
    latency(row.p50Seconds),
    latency(row.p99Seconds),
    seconds(row.targetSeconds),
    { text: percent(lateShare), style },
    row.deadLetters === null ? '?' : String(row.deadLetters),
    row.owner,
  ]
}

function deadText({ subscriber, entity, owner, deadLetters, oldestDeadLetterSeconds }: EntityReport): string {
  const age = oldestDeadLetterSeconds === null ? '' : `, the oldest for ${seconds(oldestDeadLetterSeconds)}`
  return `${deadLetters} dead letters of ${entity} at ${subscriber} wait for ${owner}${age}: tributary dlq list ${subscriber} --entity ${entity}`
}

function latency(value: number | null): string {
  if (value === null) return '-'
  return value < 1 ? `${Math.round(value * 1000)} ms` : seconds(value)
}

function percent(share: number | null): string {
  if (share === null) return '-'
  return share > 0 && share < 0.0001 ? '<0.01 %' : `${(share * 100).toFixed(2)} %`
}

import { formatVersion } from '../../../schemas/version.ts'
import { seconds, table } from '../../cli/table.ts'
import { WIDTH_MAX, wrap } from '../../declaration/report/terminal-text.ts'
import { clip, safeText } from '../../demo/view/width.ts'
import type { KeyShower } from './key-shown.ts'
import type { OpenLetter } from './open-letters.ts'

/** Dead letters of one entity with the same field and reason. */
export interface LetterGroup {
  readonly entity: string
  readonly field: string | null
  readonly reason: string
  readonly count: number
  /** ISO 8601. */
  readonly oldestSince: string
}

export interface ListedLetter {
  readonly entity: string
  readonly key: string
  readonly keyMasked: boolean
  readonly field: string | null
  readonly reason: string
  readonly version: string
  /** ISO 8601. */
  readonly committedAt: string
  readonly since: string
  readonly ageSeconds: number
}

export interface LetterList {
  readonly source: string
  readonly open: number
  /** Whether there are more than could be kept: then `open` and the counts are lower bounds. */
  readonly incomplete: boolean
  /** The largest first. */
  readonly groups: readonly LetterGroup[]
  /** The oldest first, up to the limit. */
  readonly entries: readonly ListedLetter[]
}

/** Counts dead letters by entity, field and reason. */
export function groupLetters(letters: readonly OpenLetter[]): readonly LetterGroup[] {
  const groups = new Map<string, { first: OpenLetter; count: number; oldest: bigint }>()
  for (const letter of letters) {
    const name = JSON.stringify([letter.entity, letter.field, letter.reason])
    const group = groups.get(name)
    if (group === undefined) groups.set(name, { first: letter, count: 1, oldest: letter.since })
    else {
      group.count++
      if (letter.since < group.oldest) group.oldest = letter.since
    }
  }
  return [...groups.values()]
    .sort((a, b) => b.count - a.count)
    .map(({ first: { entity, field, reason }, count, oldest }) => ({
      entity,
      field,
      reason,
      count,
      oldestSince: isoTime(oldest),
    }))
}

/** @param letters the oldest first */
export function listLetters(
  source: string,
  letters: readonly OpenLetter[],
  incomplete: boolean,
  limit: number,
  showKey: KeyShower,
  nowMs: number,
): LetterList {
  const entries = letters.slice(0, limit).map((letter): ListedLetter => {
    const { entity, field, reason, version, since } = letter
    const { text, masked } = showKey(entity, letter.key)
    return {
      entity,
      key: text,
      keyMasked: masked,
      field,
      reason,
      version: formatVersion(version),
      committedAt: isoTime(letter.source.committedAt),
      since: isoTime(since),
      ageSeconds: Math.max(0, Math.round(nowMs / 1000 - Number(since) / 1e6)),
    }
  })
  return { source, open: letters.length, incomplete, groups: groupLetters(letters), entries }
}

/** Micros since 1970 as ISO 8601, as far as JavaScript knows the calendar. */
export function isoTime(micros: bigint): string {
  const ms = Number(micros / 1_000n)
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(micros)
}

const GROUPS_SHOWN_MAX = 20
const KEY_COLUMNS_MAX = 24
const NAME_COLUMNS_MAX = 20

/** The list for a person, in at most {@link WIDTH_MAX} columns. */
export function formatList(list: LetterList, nowMs: number): string[] {
  const { source, open, incomplete, groups, entries } = list
  if (open === 0) return [`No open dead letters of source ${source} match.`]
  const count = `${incomplete ? 'more than ' : ''}${open}`
  const lines = [`${count} open dead letter${open === 1 ? '' : 's'} of source ${source}: rows that cannot be encoded.`]
  lines.push('', ...formatGroups(groups, nowMs))
  const number = new Map(
    groups.map(({ entity, field, reason }, at) => [JSON.stringify([entity, field, reason]), at + 1]),
  )
  const rows = entries.map(({ entity, field, reason, key, version, committedAt, ageSeconds }) => [
    String(number.get(JSON.stringify([entity, field, reason]))),
    clip(entity, NAME_COLUMNS_MAX),
    clip(safeText(key), KEY_COLUMNS_MAX),
    version,
    committedAt.replace(/\.\d+Z$/, 'Z'),
    seconds(ageSeconds),
  ])
  if (rows.length > 0) lines.push('', ...table(['#', 'ENTITY', 'KEY', 'VERSION', 'COMMITTED AT', 'AGE'], rows))
  if (entries.length < open) lines.push(`${open - entries.length} more: --limit shows more of them.`)
  if (entries.some(({ keyMasked }) => keyMasked)) lines.push('Personal keys are masked: --show-keys shows them.')
  return [
    ...lines,
    '',
    'Next: correct the rows at the source, or declare a wider type.',
    'A later change of a row ends its dead letter. What the source has now:',
    `  tributary dlq show ${source} <entity> <key>`,
    'To have the rows read again:',
    `  tributary dlq replay ${source}`,
  ]
}

/** Numbered groups; their reasons under them when the line would be too long. */
export function formatGroups(groups: readonly LetterGroup[], nowMs: number): string[] {
  const shown = groups.slice(0, GROUPS_SHOWN_MAX)
  const rows = shown.map(({ entity, field, count, oldestSince }, at) => [
    String(at + 1),
    clip(entity, NAME_COLUMNS_MAX),
    clip(safeText(field ?? '-'), NAME_COLUMNS_MAX),
    String(count),
    seconds((nowMs - Date.parse(oldestSince)) / 1000),
    '',
  ])
  const [head, ...lines] = table(['#', 'ENTITY', 'FIELD', 'COUNT', 'OLDEST', 'REASON'], rows)
  const indent = head!.indexOf('REASON')
  const withReasons = lines.flatMap((line, at) => {
    const parts = wrap(safeText(shown[at]!.reason), WIDTH_MAX - indent)
    return parts.map((part, index) => (index === 0 ? line.padEnd(indent) : ' '.repeat(indent)) + part)
  })
  const more = groups.length - shown.length
  return [head!, ...withReasons, ...(more > 0 ? [`${more} more reasons: --json has all.`] : [])]
}

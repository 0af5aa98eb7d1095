import { seconds, table } from '../../cli/table.ts'
import { WIDTH_MAX, wrap } from '../../declaration/report/terminal-text.ts'
import { clip, safeText } from '../../demo/view/width.ts'
import type { KeyShower } from '../capture/key-shown.ts'
import type { LetterGroup, LetterSummary, ListedLetter } from './summary.ts'

/** What `dlq list <subscriber>` tells. Plain JSON. */
export interface LetterList {
  readonly subscriber: string
  readonly open: number
  readonly dead: number
  readonly retrying: number
  /** How many are in no group, because there are too many codes. */
  readonly ungrouped: number
  /** The largest first. */
  readonly groups: readonly (Omit<LetterGroup, 'oldestSinceMs'> & {
    /** Who answers for the entity; null when it is not declared any more. */
    readonly owner: string | null
    /** ISO 8601. */
    readonly oldestSince: string
  })[]
  /** The oldest first, up to the limit. */
  readonly entries: readonly (Omit<ListedLetter, 'hasReadableKey' | 'sinceMs'> & {
    readonly keyMasked: boolean
    /** ISO 8601. */
    readonly since: string
    readonly ageSeconds: number
  })[]
}

/** @param ownerOf the owner of an entity; undefined when it is not declared any more */
export function letterList(
  subscriber: string,
  summary: LetterSummary,
  ownerOf: (entity: string) => string | undefined,
  showKey: KeyShower,
  nowMs: number,
): LetterList {
  const { dead, retrying, ungrouped } = summary
  return {
    subscriber,
    open: dead + retrying,
    dead,
    retrying,
    ungrouped,
    groups: summary.groups().map(({ oldestSinceMs, ...group }) => ({
      ...group,
      owner: ownerOf(group.entity) ?? null,
      oldestSince: isoTime(oldestSinceMs),
    })),
    entries: summary.listed().map(({ sinceMs, hasReadableKey, ...letter }) => {
      // A place on a topic is nobody's data.
      const shown = hasReadableKey ? showKey(letter.entity, letter.key) : { text: letter.key, masked: false }
      const ageSeconds = Math.max(0, Math.round((nowMs - sinceMs) / 1000))
      return { ...letter, key: shown.text, keyMasked: shown.masked, since: isoTime(sinceMs), ageSeconds }
    }),
  }
}

function isoTime(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms)
}

const GROUPS_SHOWN_MAX = 20
const NAME_COLUMNS_MAX = 20
const CODE_COLUMNS_MAX = 30
const KEY_COLUMNS_MAX = 24

/** The list for a person, in at most {@link WIDTH_MAX} columns. */
export function formatList(list: LetterList, nowMs: number): string[] {
  const { subscriber, open, dead, retrying, groups, entries } = list
  if (open === 0) return [`No open dead letters of subscriber ${subscriber} match.`]
  const lines = [
    `${open} open dead letter${open === 1 ? '' : 's'} of subscriber ${subscriber}: ${dead} dead, ${retrying} retrying.`,
    '',
    ...formatGroups(list, nowMs),
  ]
  if (entries.length > 0) lines.push('', ...formatEntries(list, nowMs))
  if (entries.length < open) lines.push(`${open - entries.length} more: --limit shows more of them.`)
  if (entries.some(({ keyMasked }) => keyMasked)) lines.push('Personal keys are masked: --show-keys shows them.')
  const code = groups[0]?.code
  return [
    ...lines,
    '',
    ...(retrying > 0 ? ['Those that are retrying are tried again by themselves.'] : []),
    'A later change of a row ends its dead letter. One beside what the subscriber has:',
    `  tributary dlq show ${subscriber} <entity> <key>`,
    'Once the cause is mended, or to give them up:',
    `  tributary dlq replay ${subscriber}${code === undefined || !PLAIN.test(code) ? '' : ` --code ${code}`} --dry-run`,
    `  tributary dlq discard ${subscriber} <entity> <key> --reason "…"`,
  ]
}

/** A code that a shell takes as it is. */
const PLAIN = /^[\w.:-]{1,40}$/

/** Numbered groups, with the reason of the oldest below each. */
export function formatGroups({ groups, ungrouped }: Pick<LetterList, 'groups' | 'ungrouped'>, nowMs: number): string[] {
  const shown = groups.slice(0, GROUPS_SHOWN_MAX)
  const rows = shown.map(({ entity, owner, code, dead, retrying, oldestSince }, at) => [
    String(at + 1),
    clip(entity, NAME_COLUMNS_MAX),
    clip(safeText(owner ?? '?'), NAME_COLUMNS_MAX),
    clip(safeText(code), CODE_COLUMNS_MAX),
    String(dead),
    String(retrying),
    seconds((nowMs - Date.parse(oldestSince)) / 1000),
  ])
  const [head, ...lines] = table(['#', 'ENTITY', 'OWNER', 'CODE', 'DEAD', 'RETRYING', 'OLDEST'], rows)
  const indent = ' '.repeat(head!.indexOf('ENTITY'))
  const withReasons = lines.flatMap((line, at) => {
    const { reason, code } = shown[at]!
    if (reason === '' || reason === code) return [line]
    return [line, ...wrap(safeText(reason), WIDTH_MAX - indent.length).map((part) => indent + part)]
  })
  const more = groups.length - shown.length
  return [
    head!,
    ...withReasons,
    ...(more > 0 ? [`${more} more codes: --json has all.`] : []),
    ...(ungrouped > 0 ? [`${ungrouped} of still other codes.`] : []),
  ]
}

function formatEntries({ groups, entries }: LetterList, nowMs: number): string[] {
  const number = new Map(groups.map(({ entity, code }, at) => [`${entity}/${code}`, String(at + 1)]))
  const rows = entries.map(({ entity, code, key, state, nextTryAt, attempts, replays, ageSeconds }) => [
    number.get(`${entity}/${code}`) ?? '-',
    clip(entity, NAME_COLUMNS_MAX),
    clip(safeText(key), KEY_COLUMNS_MAX),
    nextTryAt === null ? state : `${state}, in ${seconds((Date.parse(nextTryAt) - nowMs) / 1000)}`,
    String(attempts),
    String(replays),
    seconds(ageSeconds),
  ])
  return table(['#', 'ENTITY', 'KEY', 'STATE', 'ATTEMPTS', 'REPLAYS', 'AGE'], rows)
}

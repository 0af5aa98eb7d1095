import type { Change } from '../../../schemas/delta.ts'
import type { Field } from '../../../schemas/entity.ts'
import { type FieldType, formatFieldType, type Value } from '../../../schemas/field-type.ts'
import { compareVersions, formatVersion, type Version } from '../../../schemas/version.ts'
import { seconds, table } from '../../cli/table.ts'
import { WIDTH_MAX, wrap } from '../../declaration/report/terminal-text.ts'
import { MASK, valueText } from '../../demo/view/value-text.ts'
import { clip, safeText } from '../../demo/view/width.ts'
import type { AtSubscriber, FieldDifference, Wanted } from './difference.ts'
import type { OpenLetter } from './letters.ts'

/** What is known of the subscriber's object by the ledger. */
export interface LedgerView {
  readonly state: 'none' | 'live' | 'deleted'
  /** What was last applied; null for nothing. */
  readonly version: Version | null
  readonly uncertain: boolean
}

/** The refused record, read. */
export type Decoded =
  | { readonly kind: 'change'; readonly change: Change }
  /** It cannot be read, and why. */
  | { readonly kind: 'unreadable'; readonly problem: string }

export interface ShownLetter {
  readonly subscriber: string
  readonly letter: OpenLetter
  readonly key: { readonly text: string; readonly masked: boolean }
  readonly owner: string | null
  readonly decoded: Decoded
  /** The entity's fields; undefined when it is not declared any more. */
  readonly fields: readonly Field[] | undefined
  /** null when the record cannot be read, or the subscriber does not take the entity any more. */
  readonly wanted: Wanted | null
  /** null when it was not asked. */
  readonly ledger: LedgerView | null
  /** What the subscriber itself says; undefined when it was not asked, or cannot be. */
  readonly has: AtSubscriber | undefined
  readonly showPersonal: boolean
}

/** For programs. Personal values are left out unless they were asked for. */
export function showJson(shown: ShownLetter): object {
  const { subscriber, letter, key, owner, decoded, wanted, ledger, has } = shown
  const { head, place, sinceMs, record } = letter
  const { key: _, topic, partition, offset, firstFailedAt: __, ...facts } = head
  return {
    subscriber,
    ...facts,
    key: key.text,
    keyMasked: key.masked,
    owner,
    since: isoTime(sinceMs),
    record: { topic, partition, offset: offset === null ? null : String(offset) },
    letter: { topic: record.topic, partition: place.partition, offset: String(place.offset) },
    decoded: decoded.kind === 'unreadable' ? null : changeJson(decoded.change, shown),
    problem: decoded.kind === 'unreadable' ? decoded.problem : wanted?.kind === 'refused' ? wanted.reason : null,
    ledger: ledger && { ...ledger, version: ledger.version && formatVersion(ledger.version) },
    atSubscriber: has === undefined ? 'unknown' : has === null ? 'missing' : 'there',
    wanted: wanted === null ? null : wantedJson(wanted, shown.showPersonal),
  }
}

function changeJson(change: Change, { fields, showPersonal }: ShownLetter): object {
  const { op, version, source } = change
  const times = { committedAt: microsTime(source.committedAt), capturedAt: microsTime(source.capturedAt) }
  const facts = { op, version: formatVersion(version), object: source.object, position: source.position, ...times }
  if (change.op === 'delete') return facts
  // Of a field that is not declared nothing is known.
  const isHidden = (name: string) => !showPersonal && (fields?.find((field) => field.name === name)?.personal ?? true)
  const after = Object.entries(change.after).filter(([name]) => !isHidden(name))
  return {
    ...facts,
    changed: change.changed,
    after: Object.fromEntries(after.map(([name, value]) => [name, jsonValue(value)])),
  }
}

function wantedJson(wanted: Wanted, showPersonal: boolean): object {
  if (wanted.kind !== 'upsert') return { kind: wanted.kind }
  return {
    kind: wanted.kind,
    fields: wanted.fields.map(({ field, type, personal, wanted: value, wantedClaim, has, differs }) => {
      const isShown = showPersonal || !personal
      return {
        field,
        type: formatFieldType(type),
        personal,
        differs,
        ...(value !== undefined && isShown && { wanted: jsonValue(value) }),
        ...(wantedClaim !== null && { wantedBytes: String(wantedClaim.bytes) }),
        ...(has !== undefined && isShown && { has: jsonValue(has) }),
      }
    }),
  }
}

function jsonValue(value: Value): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (Buffer.isBuffer(value)) return value.toString('base64')
  return Array.isArray(value) ? value.map((element: Value) => jsonValue(element)) : value
}

/** For a person, in at most {@link WIDTH_MAX} columns. */
export function formatShown(shown: ShownLetter, nowMs: number): string[] {
  const { letter, key, owner, subscriber } = shown
  const { head, place, sinceMs, record } = letter
  const next = head.nextTryAt === null ? '' : `, next try in ${seconds((Date.parse(head.nextTryAt) - nowMs) / 1000)}`
  const facts: (readonly [string, string])[] = [
    ['entity', head.entity],
    ['owner', owner ?? 'the entity is not declared any more'],
    ['key', key.text],
    ['state', head.state + next],
    ['code', head.code],
    ['reason', head.reason === '' ? '-' : head.reason],
    ['failed', head.stage === 'decode' ? 'while the record was read' : 'at the subscriber'],
    ['attempts', `${head.attempts}, replayed ${head.replays} ${head.replays === 1 ? 'time' : 'times'}`],
    ['since', `${isoTime(sinceMs)} (${seconds((nowMs - sinceMs) / 1000)})`],
    ...recordFacts(shown),
    ['record', `${head.topic ?? '?'}, partition ${head.partition ?? '?'}, offset ${head.offset ?? '?'}`],
    ['dead letter', `${record.topic}, partition ${place.partition}, offset ${place.offset}`],
  ]
  const width = Math.max(...facts.map(([name]) => name.length)) + 2
  const lines = facts.flatMap(([name, text]) =>
    wrap(safeText(text), WIDTH_MAX - width).map((part, at) => (at === 0 ? name : '').padEnd(width) + part),
  )
  const where = `${subscriber} ${head.entity} ${key.masked ? '<key>' : safeText(key.text)}`
  return [
    ...lines,
    '',
    ...formatWanted(shown),
    '',
    'Next, once the cause is mended, or to give it up:',
    `  tributary dlq replay ${where}`,
    `  tributary dlq discard ${where} --reason "…"`,
  ]
}

function recordFacts({ decoded }: ShownLetter): (readonly [string, string])[] {
  if (decoded.kind === 'unreadable') return []
  const { op, version, source } = decoded.change
  return [
    ['change', `${op}, version ${formatVersion(version)}, committed ${microsTime(source.committedAt)}`],
    ['source', `${source.instance}, ${source.object}, ${source.position}`],
  ]
}

function formatWanted(shown: ShownLetter): string[] {
  const { decoded, wanted, subscriber, letter } = shown
  if (decoded.kind === 'unreadable') return text(`The record cannot be decoded: ${decoded.problem}`)
  if (wanted === null)
    return text(`Subscriber ${subscriber} does not take ${letter.head.entity} any more: it can only be discarded.`)
  if (wanted.kind === 'refused') return text(`The mapping cannot make the values that would be sent: ${wanted.reason}.`)
  const standing = standingOf(shown, decoded.change)
  if (wanted.kind === 'delete') return ['The record deletes the object.', ...standing]
  const { fields } = wanted
  const masked = fields.some(({ personal }) => personal) && !shown.showPersonal
  const isRead = shown.has !== undefined && shown.has !== null
  const head = ['', 'FIELD', 'WANTED', ...(isRead ? ['THE SUBSCRIBER HAS'] : [])]
  const rows = fields.map((field) => [MARKS[String(field.differs)]!, ...fieldCells(field, isRead, shown.showPersonal)])
  return [
    ...table(head, rows),
    '≠ differs from what the subscriber has   = is so already   ? not known',
    ...(masked ? ['Personal values are masked: --show-personal shows them.'] : []),
    '',
    ...standing,
  ]
}

const MARKS: Readonly<Record<string, string>> = { true: '≠', false: '=', null: '?' }
const FIELD_COLUMNS_MAX = 24
const VALUE_COLUMNS_MAX = 34
const CLOCK = { nowMs: 0, timeText: (atMs: number) => new Date(atMs).toISOString() }

function fieldCells(
  { field, type, personal, wanted, wantedClaim, has }: FieldDifference,
  isRead: boolean,
  showPersonal: boolean,
) {
  const shownValue = (value: Value | undefined, of: FieldType) => {
    if (value === undefined) return '-'
    return personal && !showPersonal ? MASK : clip(valueText(value, of, CLOCK), VALUE_COLUMNS_MAX)
  }
  const wantedText = wantedClaim === null ? shownValue(wanted, type) : `${wantedClaim.bytes} bytes, by reference`
  return [clip(field, FIELD_COLUMNS_MAX), wantedText, ...(isRead ? [shownValue(has, type)] : [])]
}

/** What a replay would find, in words. */
function standingOf({ ledger, has, letter }: ShownLetter, { version }: Change): string[] {
  const lines: string[] = []
  if (has === null) lines.push('The subscriber has no such object.')
  if (has === undefined && ledger !== null)
    lines.push('The subscriber cannot be asked: compared with what was last applied to it.')
  if (ledger !== null) {
    const applied = ledger.version
    if (applied === null) lines.push('Nothing was ever applied to this key.')
    else if (compareVersions(applied, version) > 0)
      lines.push(
        `A newer version, ${formatVersion(applied)}, was applied since: a replay changes nothing and ends the dead letter.`,
      )
    else if (compareVersions(applied, version) === 0)
      lines.push('This very version was applied since: a replay ends the dead letter.')
    else lines.push(`The subscriber was last sent version ${formatVersion(applied)}.`)
    if (ledger.uncertain) lines.push('It is not certain what it holds: the next patch of this key carries every field.')
  }
  if (letter.head.state === 'retrying') lines.push('It is tried again by itself.')
  return lines.flatMap(text)
}

const text = (words: string): string[] => [...wrap(safeText(words), WIDTH_MAX)]

function isoTime(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms)
}

function microsTime(micros: bigint): string {
  return isoTime(Number(micros / 1_000n))
}

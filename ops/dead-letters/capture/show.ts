import type { Field } from '../../../schemas/entity.ts'
import { TributaryError, UnencodableValue } from '../../../schemas/errors.ts'
import { formatFieldType, type Value } from '../../../schemas/field-type.ts'
import { formatVersion } from '../../../schemas/version.ts'
import { seconds, table } from '../../cli/table.ts'
import { WIDTH_MAX, wrap } from '../../declaration/report/terminal-text.ts'
import { MASK, valueText } from '../../demo/view/value-text.ts'
import { clip, safeText } from '../../demo/view/width.ts'
import { isoTime } from './list.ts'
import type { OpenLetter } from './open-letters.ts'

/** What the source has now for a field. */
export type FieldNow =
  | { readonly field: Field; readonly fits: true; readonly value: Value }
  | { readonly field: Field; readonly fits: false; readonly reason: string }

/** What the source has now for a row. */
export type RowNow =
  | { readonly state: 'gone' }
  /** The entity or the field of its key is not declared any more. */
  | { readonly state: 'undeclared' }
  | { readonly state: 'there'; readonly fields: readonly FieldNow[]; readonly problem: string | null }

type ReadRow = (fields: readonly string[]) => Promise<Readonly<Record<string, Value>> | undefined>

/**
 * Reads a row as a replay would. A value that does not fit is not read at all, so when there is one, each field is asked for alone.
 * @param read the named fields of the row; undefined when it is gone
 * @param encode throws `value-unencodable` for a row that does not fit a record
 */
export async function readRowNow(
  fields: readonly Field[],
  read: ReadRow,
  encode: (row: Readonly<Record<string, Value>>) => void,
): Promise<RowNow> {
  const names = fields.map(({ name }) => name)
  const whole = await orReason(() => read(names))
  if (!('reason' in whole)) {
    if (whole.value === undefined) return { state: 'gone' }
    const row = whole.value
    const encoded = await orReason(async () => encode(row))
    if (!('reason' in encoded))
      return { state: 'there', fields: fields.map((field) => fitting(field, row)), problem: null }
    const { field: place, reason } = encoded
    const now = fields.map(
      (field): FieldNow => (field.name === place ? { field, fits: false, reason } : fitting(field, row)),
    )
    const isPlaced = now.some(({ fits }) => !fits)
    return { state: 'there', fields: now, problem: isPlaced ? `${place} ${reason}` : reason }
  }
  const now: FieldNow[] = []
  for (const field of fields) {
    const one = await orReason(() => read([field.name]))
    if ('reason' in one) now.push({ field, fits: false, reason: one.reason })
    else if (one.value === undefined) return { state: 'gone' }
    else now.push(fitting(field, one.value))
  }
  const bad = now.filter(({ fits }) => !fits).map(({ field }) => field.name)
  // It may have been corrected between the two questions.
  return { state: 'there', fields: now, problem: bad.length > 0 ? `${bad.join(', ')}: a value does not fit` : null }
}

const fitting = (field: Field, row: Readonly<Record<string, Value>>): FieldNow => ({
  field,
  fits: true,
  value: row[field.name] ?? null,
})

type Tried<T> = { readonly value: T } | { readonly field: string | null; readonly reason: string }

async function orReason<T>(run: () => Promise<T>): Promise<Tried<T>> {
  try {
    return { value: await run() }
  } catch (error) {
    if (error instanceof UnencodableValue) return { field: error.field, reason: error.reason }
    if (error instanceof TributaryError && error.code === 'value-unencodable')
      return { field: null, reason: error.message }
    throw error
  }
}

export interface ShownLetter {
  readonly source: string
  readonly letter: OpenLetter
  readonly topic: string
  readonly key: { readonly text: string; readonly masked: boolean }
  /** null when the source could not be asked. */
  readonly now: RowNow | null
  readonly showPersonal: boolean
}

/** For programs. Values of personal fields are left out unless they were asked for. */
export function showJson({ source, letter, topic, key, now, showPersonal }: ShownLetter): object {
  const { entity, field, reason, version, since, source: from, partition, offset } = letter
  return {
    source,
    entity,
    key: key.text,
    keyMasked: key.masked,
    field,
    reason,
    version: formatVersion(version),
    since: isoTime(since),
    committedAt: isoTime(from.committedAt),
    capturedAt: isoTime(from.capturedAt),
    object: from.object,
    position: from.position,
    transaction: from.transaction,
    topic,
    partition,
    offset: String(offset),
    now: now === null ? null : nowJson(now, showPersonal),
  }
}

function nowJson(now: RowNow, showPersonal: boolean): object {
  if (now.state !== 'there') return { state: now.state }
  return {
    state: now.state,
    encodable: now.problem === null,
    problem: now.problem,
    fields: now.fields.map((one) => ({
      name: one.field.name,
      type: formatFieldType(one.field.type),
      fits: one.fits,
      ...(one.fits ? {} : { reason: one.reason }),
      ...(one.fits && (showPersonal || !one.field.personal) && { value: jsonValue(one.value) }),
    })),
  }
}

function jsonValue(value: Value): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (Buffer.isBuffer(value)) return value.toString('base64')
  return Array.isArray(value) ? value.map((element: Value) => jsonValue(element)) : value
}

const VALUE_COLUMNS_MAX = 60

/** For a person, in at most {@link WIDTH_MAX} columns. */
export function formatShown(shown: ShownLetter, nowMs: number): string[] {
  const { source, letter, topic, key, now } = shown
  const { entity, field, reason, version, since, source: from, partition, offset } = letter
  const age = seconds(nowMs / 1000 - Number(since) / 1e6)
  const facts: readonly (readonly [string, string])[] = [
    ['entity', entity],
    ['key', safeText(key.text)],
    ['field', field ?? 'the row as a whole'],
    ['reason', reason],
    ['since', `${isoTime(since)} (${age})`],
    ['version', formatVersion(version)],
    ['committed at', isoTime(from.committedAt)],
    ['captured at', isoTime(from.capturedAt)],
    ['at the source', `${from.object}, ${from.position}, transaction ${from.transaction ?? 'of a snapshot'}`],
    ['on the topic', `${topic}, partition ${partition}, offset ${offset}`],
  ]
  const width = Math.max(...facts.map(([name]) => name.length)) + 2
  const lines = facts.flatMap(([name, text]) =>
    wrap(safeText(text), WIDTH_MAX - width).map((part, at) => (at === 0 ? name : '').padEnd(width) + part),
  )
  const where = key.masked ? `${entity} <key>` : `${entity} ${safeText(key.text)}`
  return [...lines, '', ...formatNow(shown, now), ...formatNext(now, `tributary dlq replay ${source} ${where}`)]
}

function formatNow({ showPersonal }: ShownLetter, now: RowNow | null): string[] {
  if (now === null || now.state !== 'there') return []
  const clock = { nowMs: 0, timeText: (atMs: number) => new Date(atMs).toISOString() }
  const rows = now.fields.map((one) => {
    const { field } = one
    const type = clip(formatFieldType(field.type), VALUE_COLUMNS_MAX / 3)
    if (!one.fits) return [field.name, type, clip(`does not fit: ${one.reason}`, VALUE_COLUMNS_MAX)]
    return [field.name, type, field.personal && !showPersonal ? MASK : valueText(one.value, field.type, clock)]
  })
  const masked = now.fields.some(({ field, fits }) => fits && field.personal) && !showPersonal
  return [
    ...table(['FIELD', 'TYPE', 'AT THE SOURCE NOW'], rows),
    ...(masked ? ['Personal values are masked: --show-personal shows them.'] : []),
    '',
  ]
}

function formatNext(now: RowNow | null, replay: string): string[] {
  if (now === null) return ['What the source has now could not be asked.']
  if (now.state === 'undeclared') return ['This entity is not declared any more, so its rows are not captured.']
  if (now.state === 'gone') return ['The row is gone. Next, to end this dead letter:', `  ${replay}`]
  if (now.problem === null) return ['The row would be encoded now. Next:', `  ${replay}`]
  return wrap(
    `The row still cannot be encoded: ${now.problem}. Correct it at the source; that update is captured as usual. Or declare a ` +
      'wider type, provision, start capture again, and replay it.',
    WIDTH_MAX,
  ) as string[]
}

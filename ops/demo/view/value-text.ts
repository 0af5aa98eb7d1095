import {
  DATE_INFINITY,
  DATE_MINUS_INFINITY,
  type FieldType,
  TIMESTAMP_INFINITY,
  TIMESTAMP_MINUS_INFINITY,
  type Value,
} from '../../../schemas/field-type.ts'
import { parseKey } from '../../../schemas/key.ts'
import { clip, safeText } from './width.ts'

export const MASK = '•••'
/** The most cells of one value on the screen. */
const VALUE_COLUMNS_MAX = 40
const DAY_MS = 86_400_000

/** An instant nearer than this is shown as its time of day. */
const NEAR_MS = DAY_MS / 2

export interface Clock {
  readonly nowMs: number
  readonly timeText: (atMs: number) => string
}

/** A field's value as a person reads it, on one line, clipped. Instants that are not of today are UTC. */
export function valueText(value: Value, type: FieldType, clock: Clock): string {
  return clip(safeText(plainText(value, type, clock)), VALUE_COLUMNS_MAX)
}

function plainText(value: Value, type: FieldType, clock: Clock): string {
  if (value === null) return 'null'
  if (type.kind === 'array')
    return `[${(value as readonly Value[]).map((element) => plainText(element, type.of, clock)).join(', ')}]`
  if (type.kind === 'date' && typeof value === 'number') {
    if (value === DATE_INFINITY) return 'infinity'
    if (value === DATE_MINUS_INFINITY) return '-infinity'
    return isoText(value * DAY_MS).slice(0, 10)
  }
  if ((type.kind === 'timestamp' || type.kind === 'timestamptz') && typeof value === 'bigint') {
    if (value === TIMESTAMP_INFINITY) return 'infinity'
    if (value === TIMESTAMP_MINUS_INFINITY) return '-infinity'
    const atMs = Number(value / 1_000n)
    if (type.kind === 'timestamptz' && Math.abs(clock.nowMs - atMs) < NEAR_MS) return clock.timeText(atMs)
    return isoText(atMs).slice(0, 19).replace('T', ' ')
  }
  if (type.kind === 'time' && typeof value === 'bigint') return isoText(Number(value / 1_000n)).slice(11, 19)
  if (Buffer.isBuffer(value)) return `${value.length} bytes`
  if (type.kind === 'json') return compactJson(String(value))
  return String(value)
}

/** Days and times outside of what JavaScript can say are shown as their number. */
function isoText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms)
}

/** The values of a document without its quotes and names: what a person looks for in an address. */
function compactJson(text: string): string {
  return text.replaceAll(/"[^"]*":\s*/g, '').replaceAll('"', '')
}

/** A key on one line: the parts of a composite key beside each other, a long one (a UUID) shortened in its middle. */
export function keyText(key: string, columns: number): string {
  const parts = key.startsWith('["') ? parseAnyKey(key) : [key]
  const text = safeText(parts.join(' · '))
  if (parts.length === 1 && /^[\x20-\x7e]+$/.test(text) && text.length > columns && columns >= 8)
    return `${text.slice(0, columns - 5)}…${text.slice(-4)}`
  return clip(text, columns)
}

function parseAnyKey(key: string): readonly string[] {
  for (let parts = 2; parts <= 8; parts++) {
    const parsed = parseKey(key, parts)
    if (parsed) return parsed
  }
  return [key]
}

import { TransformRefused } from '../../connectors/destination.ts'
import {
  DATE_INFINITY,
  DATE_MINUS_INFINITY,
  type FieldType,
  TIMESTAMP_INFINITY,
  TIMESTAMP_MINUS_INFINITY,
  type Value,
} from '../../schemas/field-type.ts'

const DAY_MS = 86_400_000
const MICROS_PER_SECOND = 1_000_000n
/** The last instant that has a year of JavaScript's own, in milliseconds. */
const INSTANT_MS_MAX = 8_640_000_000_000_000n

/** Whether values of a type have a plain text: what `join`, `format` and `lookup` work from. */
export function hasTextForm({ kind }: FieldType): boolean {
  return kind !== 'json' && kind !== 'bytes' && kind !== 'array'
}

/**
 * A value as plain text: digits, `true` and `false`, dates and times in ISO 8601 (a timestamptz in UTC, with a `Z`).
 * @throws TransformRefused for dates and times that are infinite, or beyond what has a year
 */
export function textForm(type: FieldType, value: Exclude<Value, null>): string {
  switch (type.kind) {
    case 'date':
      return dateText(value as number)
    case 'time':
      return timeText(value as bigint)
    case 'timestamp':
      return timestampText(value as bigint)
    case 'timestamptz':
      return `${timestampText(value as bigint)}Z`
    default:
      return String(value)
  }
}

function dateText(days: number): string {
  if (days === DATE_INFINITY || days === DATE_MINUS_INFINITY) throw new TransformRefused('the date is infinite')
  return instant(BigInt(days) * BigInt(DAY_MS)).slice(0, -'T00:00:00.000Z'.length)
}

function timestampText(micros: bigint): string {
  if (micros === TIMESTAMP_INFINITY || micros === TIMESTAMP_MINUS_INFINITY)
    throw new TransformRefused('the timestamp is infinite')
  const inSecond = ((micros % MICROS_PER_SECOND) + MICROS_PER_SECOND) % MICROS_PER_SECOND
  const whole = instant((micros - inSecond) / 1000n).slice(0, -'.000Z'.length)
  return whole + fraction(inSecond)
}

function timeText(micros: bigint): string {
  const seconds = micros / MICROS_PER_SECOND
  const parts = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n]
  return parts.map((part) => String(part).padStart(2, '0')).join(':') + fraction(micros % MICROS_PER_SECOND)
}

function fraction(micros: bigint): string {
  return micros === 0n ? '' : `.${String(micros).padStart(6, '0')}`
}

function instant(ms: bigint): string {
  if (ms > INSTANT_MS_MAX || ms < -INSTANT_MS_MAX)
    throw new TransformRefused('the date has no year that can be written')
  return new Date(Number(ms)).toISOString()
}

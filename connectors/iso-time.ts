/**
 * ISO 8601 texts of canonical dates (days since 1970) and times (microseconds, of the day or since 1970), for the systems that speak JSON.
 */

export const DAY_MS = 86_400_000
export const DAY_MICROS = 86_400_000_000n
/** 0001-01-01 and 9999-12-31: what four digits of a year write. Infinities lie beyond. */
const DAY_MIN = -719_162
const DAY_MAX = 2_932_896

/** How many digits of a second are written: as few as say it (systems that keep none refuse needless zeros), or always six. */
export type SecondDigits = 'needed' | 'six'

/** undefined for a day that has no text of four digits for its year. */
export function dateText(day: number): string | undefined {
  return day < DAY_MIN || day > DAY_MAX ? undefined : new Date(day * DAY_MS).toISOString().slice(0, 10)
}

/** @param micros from 0 to 24:00, which PostgreSQL has as a time */
export function clockText(micros: bigint, digits: SecondDigits): string {
  const two = (part: bigint) => String(part).padStart(2, '0')
  const seconds = micros / 1_000_000n
  const clock = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`
  const six = String(micros % 1_000_000n).padStart(6, '0')
  const fraction = digits === 'six' ? six : six.replace(/0+$/, '')
  return fraction === '' ? clock : `${clock}.${fraction}`
}

/** Without a zone; undefined as {@link dateText}. */
export function instantText(micros: bigint, digits: SecondDigits): string | undefined {
  const ofDay = ((micros % DAY_MICROS) + DAY_MICROS) % DAY_MICROS
  const date = dateText(Number((micros - ofDay) / DAY_MICROS))
  return date === undefined ? undefined : `${date}T${clockText(ofDay, digits)}`
}

/** Days since 1970 of `YYYY-MM-DD`; undefined for everything else. */
export function dayOf(text: string): number | undefined {
  const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms / DAY_MS
}

/** What is finer than a microsecond is cut off. */
export function clockMicros(text: string): bigint | undefined {
  const match = /^(\d\d):([0-5]\d):([0-5]\d)(?:\.(\d{1,12}))?$/.exec(text)
  if (!match) return undefined
  const [, hours, minutes, seconds, fraction = ''] = match
  const whole = BigInt(Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1_000_000n
  const micros = whole + BigInt(fraction.padEnd(6, '0').slice(0, 6))
  return micros <= DAY_MICROS ? micros : undefined
}

/** Without a zone it is taken for UTC. */
export function instantMicros(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\d)T([\d:.]+)(Z|[+-]\d\d:\d\d)?$/.exec(text)
  if (!match) return undefined
  const [, date, clock, zone = 'Z'] = match
  const midnightMs = Date.parse(`${date}T00:00:00${zone}`)
  const micros = clockMicros(clock!)
  return Number.isNaN(midnightMs) || micros === undefined ? undefined : BigInt(midnightMs) * 1000n + micros
}

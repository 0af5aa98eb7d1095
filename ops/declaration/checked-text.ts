import { TributaryError } from '../../schemas/errors.ts'
import { type NotationFault, parseDurationMs, parseDurationRangeMs, parseSizeBytes } from './notation.ts'

/** Texts of a declaration that was checked, as what they stand for: whatever cannot be read now is a defect. */

export function durationMs(text: string): number {
  const ms = parseDurationMs(text)
  if (ms === undefined) throw unchecked('a duration')
  return ms
}

export function durationRangeMs(text: string): { readonly first: number; readonly most: number } {
  const range = parseDurationRangeMs(text)
  if (range === undefined) throw unchecked('a range of durations')
  return range
}

export function sizeBytes(text: string): number {
  const bytes = parseSizeBytes(text)
  if (bytes === undefined) throw unchecked('a size')
  return bytes
}

export function sound<T extends object>(parsed: T): Exclude<T, NotationFault> {
  if ('fault' in parsed) throw unchecked('a table name')
  return parsed as Exclude<T, NotationFault>
}

export function unchecked(what: string): TributaryError {
  return new TributaryError('invariant-broken', `${what} reached the declaration unchecked; report this`)
}

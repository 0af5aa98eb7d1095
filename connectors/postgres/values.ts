import type { FieldType, ScalarType, Value } from '../../schemas/field-type.ts'
import {
  DATE_INFINITY,
  DATE_MINUS_INFINITY,
  TIMESTAMP_INFINITY,
  TIMESTAMP_MINUS_INFINITY,
} from '../../schemas/field-type.ts'
import { LargeValue } from '../../schemas/large-value.ts'
import { splitArray } from './array-literal.ts'

/**
 * Reads PostgreSQL's text form of a value, `bytes[start]` to `bytes[end]`, into the canonical form of its declared type
 * (schemas/field-type.ts). The session settings of connection.ts make that text one form: UTC, ISO dates, hex bytes.
 * @throws Unencodable when the declared type cannot hold the value
 */
export type TextReader = (bytes: Buffer, start: number, end: number) => Value

/** A value that its declared type cannot hold. The message names the reason, never the value. */
export class Unencodable extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'Unencodable'
  }
}

/** What is too large to be made a value of. */
export interface ValueLimits {
  /** A string, json or bytes of more canonical bytes than this is read as a `LargeValue`: a view, without a copy. */
  readonly largeAboveBytes: number
  /** An array whose text has more bytes than this cannot be encoded: arrays are not held by reference. */
  readonly arrayTextBytesMax: number
}

/** @param limits without them, every value is read whole */
export function readerFor(type: FieldType, limits?: ValueLimits): TextReader {
  const read = type.kind === 'array' ? arrayReader(type.of) : scalarReader(type)
  return limits === undefined ? read : limitedReader(type, read, limits)
}

function limitedReader(type: FieldType, read: TextReader, limits: ValueLimits): TextReader {
  const { largeAboveBytes, arrayTextBytesMax } = limits
  switch (type.kind) {
    case 'string':
    case 'json':
      return (bytes, start, end) =>
        end - start > largeAboveBytes ? new LargeValue(bytes.subarray(start, end), 'utf8') : readText(bytes, start, end)
    case 'bytes':
      return (bytes, start, end) => {
        const digits = end - start - 2
        if (digits / 2 <= largeAboveBytes) return readBytes(bytes, start, end)
        requireHex(bytes, start, digits)
        return new LargeValue(bytes.subarray(start + 2, end), 'hex')
      }
    case 'array':
      return (bytes, start, end) => {
        if (end - start > arrayTextBytesMax)
          throw new Unencodable(
            `it is an array of ${end - start} bytes as text; the most is ${arrayTextBytesMax} (claims.recordMax), and arrays are not held by reference`,
          )
        return read(bytes, start, end)
      }
    default:
      return read
  }
}

function scalarReader(type: ScalarType): TextReader {
  switch (type.kind) {
    case 'string':
    case 'json':
    case 'numeric':
      return readText
    case 'boolean':
      return (bytes, start) => bytes[start] === 0x74
    case 'int32':
    case 'int64':
      return readInteger
    case 'decimal':
      return decimalReader(type.precision, type.scale)
    case 'double':
      return readDouble
    case 'date':
      return readDate
    case 'time':
      return readTime
    case 'timestamp':
    case 'timestamptz':
      return readTimestamp
    case 'uuid':
      return readUuid
    case 'bytes':
      return readBytes
    case 'enum':
      return enumReader(type.symbols)
  }
}

const readText: TextReader = (bytes, start, end) => bytes.toString('utf8', start, end)

const readInteger: TextReader = (bytes, start, end) => {
  if (end - start > 15) return BigInt(bytes.toString('latin1', start, end))
  const negative = bytes[start] === 0x2d
  let value = 0
  for (let at = negative ? start + 1 : start; at < end; at++) value = value * 10 + bytes[at]! - 0x30
  return BigInt(negative ? -value : value)
}

const readDouble: TextReader = (bytes, start, end) => Number(bytes.toString('latin1', start, end))

const readBytes: TextReader = (bytes, start, end) => {
  requireHex(bytes, start, end - start - 2)
  const value = Buffer.from(bytes.toString('latin1', start + 2, end), 'hex')
  if (value.length * 2 !== end - start - 2) throw new Unencodable('bytes are not in hex form')
  return value
}

/** The digits themselves are looked at when they are used. */
function requireHex(bytes: Buffer, start: number, digits: number): void {
  if (bytes[start] !== 0x5c || bytes[start + 1] !== 0x78 || digits % 2 !== 0)
    throw new Unencodable('bytes are not in hex form')
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const readUuid: TextReader = (bytes, start, end) => {
  const text = bytes.toString('latin1', start, end).toLowerCase()
  if (!UUID.test(text)) throw new Unencodable('it is not a UUID')
  return text
}

function enumReader(symbols: readonly string[]): TextReader {
  const known = new Set(symbols)
  return (bytes, start, end) => {
    const text = bytes.toString('utf8', start, end)
    if (!known.has(text)) throw new Unencodable('it is none of the symbols declared for the enum')
    return text
  }
}

function decimalReader(precision: number, scale: number): TextReader {
  const form = `decimal(${precision},${scale})`
  return (bytes, start, end) => {
    const text = bytes.toString('latin1', start, end)
    const parts = /^(-?)0*(\d*)(?:\.(\d*))?$/.exec(text)
    if (!parts) throw new Unencodable(`it is not a finite number, which ${form} needs`)
    const whole = parts[2]!
    let fraction = parts[3] ?? ''
    if (whole.length > precision - scale)
      throw new Unencodable(`it has more digits before the point than ${form} holds`)
    if (fraction.length > scale) {
      if (/[1-9]/.test(fraction.slice(scale)))
        throw new Unencodable(`it has more digits after the point than ${form} holds`)
      fraction = fraction.slice(0, scale)
    } else fraction = fraction.padEnd(scale, '0')
    const digits = scale === 0 ? whole || '0' : `${whole || '0'}.${fraction}`
    return parts[1] && /[1-9]/.test(digits) ? `-${digits}` : digits
  }
}

function arrayReader(of: ScalarType): TextReader {
  const read = scalarReader(of)
  return (bytes, start, end) => {
    const elements = splitArray(bytes.toString('utf8', start, end))
    if (elements === undefined) throw new Unencodable('it is an array of more than one dimension')
    return elements.map((element) => {
      if (element === null) return null
      const text = Buffer.from(element)
      return read(text, 0, text.length)
    })
  }
}

const DATE = /^(\d{4,7})-(\d\d)-(\d\d)( BC)?$/

const readDate: TextReader = (bytes, start, end) => {
  const text = bytes.toString('latin1', start, end)
  const parts = DATE.exec(text)
  if (parts) return daysOf(calendarYear(parts[1]!, parts[4]), Number(parts[2]), Number(parts[3]))
  if (text === 'infinity') return DATE_INFINITY
  if (text === '-infinity') return DATE_MINUS_INFINITY
  throw new Unencodable('it is not a date in ISO form')
}

const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/

const readTime: TextReader = (bytes, start, end) => {
  const parts = TIME.exec(bytes.toString('latin1', start, end))
  if (!parts) throw new Unencodable('it is not a time of day without a zone')
  return BigInt(secondsOf(parts[1]!, parts[2]!, parts[3]!) * 1_000_000 + microsOf(parts[4]))
}

const TIMESTAMP =
  /^(\d{4,7}-\d\d-\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?( BC)?$/
const DAY_SECONDS = 86_400
/** Up to here seconds times a million are exact as a number. */
const EXACT_SECONDS_MAX = 9_007_199_253

/** What almost every timestamp is: a four-digit year, UTC or no zone. Read from its bytes, as it is in nearly every row. */
function readPlainTimestamp(bytes: Buffer, start: number, end: number): bigint | undefined {
  // 0123456789012345678
  // 2024-02-29 12:00:00.123456+00
  if (end - start < 19 || bytes[start + 4] !== 0x2d || bytes[start + 10] !== 0x20) return undefined
  let at = start + 19
  let micros = 0
  if (at < end && bytes[at] === 0x2e) {
    let scale = 100_000
    for (at++; at < end && bytes[at]! >= 0x30 && bytes[at]! <= 0x39; at++) {
      micros += (bytes[at]! - 0x30) * scale
      scale /= 10
    }
  }
  const isUtc = end - at === 3 && bytes[at] === 0x2b && bytes[at + 1] === 0x30 && bytes[at + 2] === 0x30
  if (at !== end && !isUtc) return undefined
  const year = twoDigits(bytes, start) * 100 + twoDigits(bytes, start + 2)
  const days = daysOf(year, twoDigits(bytes, start + 5), twoDigits(bytes, start + 8))
  const seconds = twoDigits(bytes, start + 11) * 3600 + twoDigits(bytes, start + 14) * 60 + twoDigits(bytes, start + 17)
  const total = days * DAY_SECONDS + seconds
  return total > -EXACT_SECONDS_MAX && total < EXACT_SECONDS_MAX ? BigInt(total * 1_000_000 + micros) : undefined
}

function twoDigits(bytes: Buffer, at: number): number {
  return (bytes[at]! - 0x30) * 10 + bytes[at + 1]! - 0x30
}

const readTimestamp: TextReader = (bytes, start, end) => {
  const plain = readPlainTimestamp(bytes, start, end)
  if (plain !== undefined) return plain
  const text = bytes.toString('latin1', start, end)
  const parts = TIMESTAMP.exec(text)
  if (!parts) {
    if (text === 'infinity') return TIMESTAMP_INFINITY
    if (text === '-infinity') return TIMESTAMP_MINUS_INFINITY
    throw new Unencodable('it is not a timestamp in ISO form')
  }
  const [year, month, day] = parts[1]!.split('-') as [string, string, string]
  const offset = parts[6] ? secondsOf(parts[7]!, parts[8] ?? '0', parts[9] ?? '0') * (parts[6] === '-' ? -1 : 1) : 0
  const seconds =
    daysOf(calendarYear(year, parts[10]), Number(month), Number(day)) * DAY_SECONDS +
    secondsOf(parts[2]!, parts[3]!, parts[4]!) -
    offset
  const micros = microsOf(parts[5])
  if (seconds > -EXACT_SECONDS_MAX && seconds < EXACT_SECONDS_MAX) return BigInt(seconds * 1_000_000 + micros)
  const exact = BigInt(seconds) * 1_000_000n + BigInt(micros)
  // PostgreSQL counts from 2000, so its last 30 years do not fit 64 bits counted from 1970.
  if (exact >= TIMESTAMP_INFINITY)
    throw new Unencodable('it is after the year 294246, which 64-bit microseconds cannot hold')
  return exact
}

function secondsOf(hours: string, minutes: string, seconds: string): number {
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
}

function microsOf(fraction: string | undefined): number {
  return fraction === undefined ? 0 : Number(fraction.padEnd(6, '0'))
}

/** 1 BC is the year 0. */
function calendarYear(year: string, bc: string | undefined): number {
  return bc === undefined ? Number(year) : 1 - Number(year)
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar. */
function daysOf(calendarYear: number, month: number, day: number): number {
  // Years are counted from March, so that the leap day is a year's last.
  const year = month <= 2 ? calendarYear - 1 : calendarYear
  const era = Math.floor(year / 400)
  const yearOfEra = year - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

import {
  DATE_INFINITY,
  DATE_MINUS_INFINITY,
  type FieldType,
  type ScalarType,
  TIMESTAMP_INFINITY,
  TIMESTAMP_MINUS_INFINITY,
  type Value,
} from '../field-type.ts'
import type { AvroWriter } from './bytes.ts'
import { writeDecimal } from './decimal.ts'

/** Checks and writes one value that is not null. @returns why it cannot be written (never the value), or undefined */
export type WriteValue = (writer: AvroWriter, value: Value) => string | undefined

const INT32_MAX = 2_147_483_647n
const INT32_MIN = -2_147_483_648n
const DAY_MICROS = 86_400_000_000n
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const NUMERIC = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|Infinity|NaN)$/
const NULL_BRANCH = 0
/** The index 1, zigzag encoded. */
const VALUE_BRANCH = 2

/** How values of a declared type are written. */
export function writeValue(type: FieldType): WriteValue {
  return type.kind === 'array' ? arrayWriter(writeScalar(type.of)) : writeScalar(type)
}

/** Writes a value of the union `["null", T]`. */
export function writeNullable(writer: AvroWriter, value: Value, write: WriteValue): string | undefined {
  if (value === null) {
    writer.writeByte(NULL_BRANCH)
    return undefined
  }
  writer.writeByte(VALUE_BRANCH)
  return write(writer, value)
}

function writeScalar(type: ScalarType): WriteValue {
  switch (type.kind) {
    case 'string':
      return text
    case 'boolean':
      return (writer, value) => {
        if (typeof value !== 'boolean') return 'is not a boolean'
        writer.writeBoolean(value)
        return undefined
      }
    case 'int32':
      return long(INT32_MIN, INT32_MAX, 'an int32')
    case 'int64':
      return long(TIMESTAMP_MINUS_INFINITY, TIMESTAMP_INFINITY, 'an int64')
    case 'time':
      return long(0n, DAY_MICROS, 'a time of day')
    case 'timestamp':
    case 'timestamptz':
      return long(TIMESTAMP_MINUS_INFINITY, TIMESTAMP_INFINITY, `a ${type.kind}`)
    case 'decimal':
      return (writer, value) =>
        typeof value === 'string' ? writeDecimal(writer, value, type.precision, type.scale) : 'is not a decimal'
    case 'numeric':
      return textOf((value) => NUMERIC.test(value), 'is not a number')
    case 'double':
      return (writer, value) => {
        if (typeof value !== 'number') return 'is not a double'
        writer.writeDouble(value)
        return undefined
      }
    case 'date':
      return (writer, value) => {
        if (typeof value !== 'number' || !Number.isInteger(value)) return 'is not a number of days'
        if (value > DATE_INFINITY || value < DATE_MINUS_INFINITY) return 'is out of range for a date'
        writer.writeInteger(value)
        return undefined
      }
    case 'uuid':
      return textOf((value) => UUID.test(value), 'is not a uuid in lower case')
    case 'bytes':
      return (writer, value) => {
        if (!Buffer.isBuffer(value)) return 'is not a buffer'
        writer.writeBytes(value)
        return undefined
      }
    case 'json':
      return textOf(isJson, 'is not JSON')
    case 'enum': {
      const symbols = new Set(type.symbols)
      return textOf((value) => symbols.has(value), 'is none of the declared symbols')
    }
  }
}

function text(writer: AvroWriter, value: Value): string | undefined {
  if (typeof value !== 'string') return 'is not a string'
  return writer.writeString(value) ? undefined : 'is not well-formed text (half of a surrogate pair)'
}

function textOf(fits: (value: string) => boolean, reason: string): WriteValue {
  return (writer, value) => (typeof value === 'string' && !fits(value) ? reason : text(writer, value))
}

function long(min: bigint, max: bigint, name: string): WriteValue {
  return (writer, value) => {
    if (typeof value !== 'bigint') return `is not ${name} (a bigint)`
    if (value < min || value > max) return `is out of range for ${name}`
    writer.writeLong(value)
    return undefined
  }
}

/** The items of an array are one block, as every Avro library writes them. */
function arrayWriter(write: WriteValue): WriteValue {
  return (writer, value) => {
    if (!Array.isArray(value)) return 'is not an array'
    if (value.length > 0) writer.writeInteger(value.length)
    // By index: a hole in a sparse array has to be seen.
    for (let index = 0; index < value.length; index++) {
      const item: Value | undefined = value[index]
      if (item === undefined) return `has no item ${index}`
      const problem = writeNullable(writer, item, write)
      if (problem !== undefined) return `has an item ${index} that ${problem}`
    }
    writer.writeInteger(0)
    return undefined
  }
}

function isJson(value: string): boolean {
  try {
    JSON.parse(value)
    return true
  } catch {
    return false
  }
}

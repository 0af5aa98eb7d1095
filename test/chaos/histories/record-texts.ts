import avsc from 'avsc'
import type { Fields } from './history.ts'
import { brief } from './values.ts'

/*
 * From Avro to the text that PostgreSQL writes, by the writer's schema and without a line of the code under test: an encoder and a decoder
 * that share a mistake agree with each other, but not with the database.
 */

interface AvroField {
  readonly name: string
  readonly type: readonly ['null', AvroType]
  readonly tributary?: string
  readonly 'tributary.field'?: string
}

type AvroType =
  | string
  | {
      readonly type: string
      readonly logicalType?: string
      readonly scale?: number
      readonly items?: readonly ['null', AvroType]
    }

export interface WriterSchema {
  readonly fields: readonly { readonly name: string; readonly type: { readonly fields?: readonly AvroField[] } }[]
}

/** For avsc: a long is a bigint, and what has a logical type is read as if it had none. */
export function exactTypes(schema: unknown): avsc.Type | undefined {
  const type = typeof schema === 'string' ? schema : (schema as { type?: unknown } | null)?.type
  return type === 'long' ? LONG : undefined
}

const LONG = avsc.types.LongType.__with(
  {
    fromBuffer(bytes: Buffer) {
      let zigzag = 0n
      for (const byte of [...bytes].reverse()) zigzag = (zigzag << 7n) | BigInt(byte & 0x7f)
      return zigzag & 1n ? -((zigzag + 1n) >> 1n) : zigzag >> 1n
    },
    toBuffer: () => Buffer.alloc(0),
    fromJSON: BigInt,
    toJSON: String,
    isValid: (value: unknown) => typeof value === 'bigint',
    compare: (a: bigint, b: bigint) => Number(a - b),
  },
  // Else the library unpacks it first, and loses digits.
  true,
)

/** The fields of a decoded delta's `after` by the schema that it was written with. */
export function fieldsOf(schema: WriterSchema, after: Readonly<Record<string, unknown>>): Fields {
  const fields = schema.fields.find(({ name }) => name === 'after')!.type.fields!
  return Object.fromEntries(
    fields.map(({ name, type, 'tributary.field': given }) => {
      const value = after[name]
      return [given ?? name, value === null || value === undefined ? null : brief(textOf(type[1], value))]
    }),
  )
}

function textOf(type: AvroType, value: unknown): string {
  if (typeof type === 'string') return plainText(type, value)
  if (type.items !== undefined) return arrayText(type.items[1], value as readonly unknown[])
  switch (type.logicalType) {
    case 'decimal':
      return decimalText(value as Buffer, type.scale ?? 0)
    case 'date':
      return dayText(value as number)
    case 'time-micros':
      return clockText(value as bigint)
    case 'local-timestamp-micros':
      return instantText(value as bigint, '')
    case 'timestamp-micros':
      return instantText(value as bigint, '+00')
    default:
      return plainText(type.type, value)
  }
}

function plainText(type: string, value: unknown): string {
  if (type === 'bytes') return `\\x${(value as Buffer).toString('hex')}`
  if (type === 'double') return doubleText(value as number)
  return String(value)
}

/** As PostgreSQL: the shortest text, with an exponent from 1e15 on. */
function doubleText(value: number): string {
  if (Object.is(value, -0)) return '-0'
  if (Number.isFinite(value) && Math.abs(value) >= 1e15) return value.toExponential().replace(/e\+(\d)$/, 'e+0$1')
  return String(value)
}

function decimalText(bytes: Buffer, scale: number): string {
  const unsigned = BigInt(`0x${bytes.toString('hex') || '0'}`)
  const value = BigInt.asIntN(bytes.length * 8, unsigned)
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0')
  const sign = value < 0n ? '-' : ''
  return scale === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

const DAY_MICROS = 86_400_000_000n

function dayText(day: number): string {
  if (day === 2 ** 31 - 1) return 'infinity'
  if (day === -(2 ** 31)) return '-infinity'
  const { date, era } = calendar(day)
  return date + era
}

/** Years before 1 are written with `BC` at the very end, and there is no year 0. */
function calendar(day: number): { readonly date: string; readonly era: string } {
  // The same day 400 years later, as often as it takes: a Date knows no years far before our time by text.
  const shifts = day < -700_000 ? Math.ceil((-700_000 - day) / 146_097) : 0
  const date = new Date((day + shifts * 146_097) * 86_400_000)
  const year = date.getUTCFullYear() - 400 * shifts
  const rest = date.toISOString().replace(/^[+-]?\d+(-\d\d-\d\d)T.*$/, '$1')
  return { date: String(year > 0 ? year : 1 - year).padStart(4, '0') + rest, era: year > 0 ? '' : ' BC' }
}

function clockText(micros: bigint): string {
  const seconds = micros / 1_000_000n
  const two = (part: bigint) => String(part).padStart(2, '0')
  const fraction = String(micros % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '')
  const clock = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`
  return fraction === '' ? clock : `${clock}.${fraction}`
}

function instantText(micros: bigint, zone: string): string {
  if (micros === 2n ** 63n - 1n) return 'infinity'
  if (micros === -(2n ** 63n)) return '-infinity'
  const ofDay = ((micros % DAY_MICROS) + DAY_MICROS) % DAY_MICROS
  const { date, era } = calendar(Number((micros - ofDay) / DAY_MICROS))
  return `${date} ${clockText(ofDay)}${zone}${era}`
}

function arrayText(type: AvroType, values: readonly unknown[]): string {
  const elements = values.map((value) => {
    if (value === null) return 'NULL'
    const text = textOf(type, value)
    return text === '' || /^null$/i.test(text) || /[{}",\\\s]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : text
  })
  return `{${elements.join(',')}}`
}

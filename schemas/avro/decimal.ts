import { type AvroReader, type AvroWriter, MalformedBytes } from './bytes.ts'

const MINUS = 45
const POINT = 46
const ZERO = 48
const NINE = 57
/** 14 digits fit into 6 bytes, the most that Node reads and writes as one integer. */
const SMALL_DIGITS = 14
const SMALL_BYTES = 6

/**
 * Writes a decimal in its canonical form (`-12.50`) as Avro does: the digits without the point as a signed integer, big-endian,
 * two's complement, in as few bytes as it needs. Never by way of a rounded number.
 * @returns why the text cannot be written, or undefined
 */
export function writeDecimal(writer: AvroWriter, text: string, precision: number, scale: number): string | undefined {
  const problem = checkDecimal(text, precision, scale)
  if (problem !== undefined) return problem
  const digits = scale === 0 ? text : text.slice(0, -scale - 1) + text.slice(-scale)
  if (digits.length <= SMALL_DIGITS) {
    const unscaled = Number(digits)
    writer.writeIntegerBytes(unscaled, integerBytes(unscaled))
  } else writer.writeBytes(twosComplement(BigInt(digits)))
  return undefined
}

function checkDecimal(text: string, precision: number, scale: number): string | undefined {
  const start = text.charCodeAt(0) === MINUS ? 1 : 0
  const point = scale === 0 ? text.length : text.length - scale - 1
  let significant = 0
  for (let index = start; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (index === point && unit === POINT) continue
    if (unit < ZERO || unit > NINE || index === point) return explainDecimal(text, scale)
    if (significant > 0 || unit !== ZERO) significant++
  }
  if (point <= start) return explainDecimal(text, scale)
  if (significant > precision) return `has more than ${precision} digits`
  if (text.charCodeAt(start) === ZERO && point > start + 1) return 'has zeros in front'
  if (start === 1 && significant === 0) return 'is a zero with a sign'
  return undefined
}

function explainDecimal(text: string, scale: number): string {
  if (/^[+-]?(nan|inf(inity)?)$/i.test(text)) return 'is not a finite number'
  const number = /^-?\d+(?:\.(\d+))?$/.exec(text)
  if (!number) return 'is not a decimal number'
  return `has ${number[1]?.length ?? 0} digits after the point instead of ${scale}`
}

function integerBytes(value: number): number {
  let limit = 128
  let bytes = 1
  while (value >= limit || value < -limit) {
    limit *= 256
    bytes++
  }
  return bytes
}

function twosComplement(value: bigint): Buffer {
  const magnitude = (value < 0n ? -value - 1n : value).toString(16)
  // One bit more than the magnitude's, for the sign.
  const topBits = 32 - Math.clz32(Number.parseInt(magnitude[0]!, 16))
  const bytes = Math.floor((4 * (magnitude.length - 1) + topBits) / 8) + 1
  const hex = BigInt.asUintN(8 * bytes, value).toString(16)
  return Buffer.from(hex.padStart(2 * bytes, '0'), 'hex')
}

/** The inverse of {@link writeDecimal}. @throws MalformedBytes when it has more digits than its type */
export function readDecimal(reader: AvroReader, precision: number, scale: number): string {
  const length = reader.readLength()
  // A byte holds more than two digits; zeros in front are allowed, but not without end.
  if (length === 0 || length > precision + 1) throw new MalformedBytes('a decimal is longer than its type')
  const start = reader.position
  reader.position += length
  let text: string
  if (length <= SMALL_BYTES) text = String(reader.buffer.readIntBE(start, length))
  else {
    const hex = reader.buffer.toString('hex', start, reader.position)
    text = BigInt.asIntN(8 * length, BigInt(`0x${hex}`)).toString()
  }
  const negative = text.charCodeAt(0) === MINUS
  if (text.length - (negative ? 1 : 0) > precision && text !== '0')
    throw new MalformedBytes('a decimal has more digits than its type')
  if (scale === 0) return text
  const digits = (negative ? text.slice(1) : text).padStart(scale + 1, '0')
  return `${negative ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

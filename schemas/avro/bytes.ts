import { isUtf8 } from 'node:buffer'

/** The bytes are not what the schema says. Its text holds no values. Stays inside the codec. */
export class MalformedBytes extends Error {}

/** The record would be larger than {@link RECORD_BYTES_MAX}. Stays inside the codec. */
export class RecordTooLarge extends Error {}

/** The most bytes of a record's value, written or read: with its key and headers below what a topic takes, and what could hurt a process. */
export const RECORD_BYTES_MAX = 11 * 1024 * 1024

/** Records are written one behind the other into slabs of this size. */
const SLAB_BYTES = 128 * 1024

const TWO_28 = 2 ** 28
const TWO_52 = 2 ** 52
const INT32_MAX = 2_147_483_647
const INT32_MIN = -2_147_483_648
/** Up to so many UTF-16 units a string's length prefix is one byte whatever its characters (3 bytes each at most). */
const SHORT_STRING_UNITS = 21
/** Up to so many, room for three bytes a unit is no waste to speak of. */
const MEDIUM_STRING_UNITS = 65_536
const DOUBLE_BYTES = 8
const VARINT_BYTES_MAX = 10

/**
 * Writes Avro's binary encoding. Records lie one behind the other in a slab and are handed out as views of it, without a copy: whoever keeps
 * one record keeps its slab, and those who take them publish them soon and together.
 */
export class AvroWriter {
  private buffer = Buffer.allocUnsafeSlow(SLAB_BYTES)
  /** Where the present record begins. */
  private start = 0
  private position = 0

  /** The bytes written since the last call; nothing writes to them any more. */
  take(): Buffer {
    const bytes = this.buffer.subarray(this.start, this.position)
    this.start = this.position
    return bytes
  }

  /** Forgets what was written since the last {@link take}. */
  reset(): void {
    this.position = this.start
  }

  writeByte(byte: number): void {
    this.reserve(1)
    this.buffer[this.position++] = byte
  }

  writeInt32BE(value: number): void {
    this.reserve(4)
    this.position = this.buffer.writeInt32BE(value, this.position)
  }

  /** @param value within int64, which the caller has checked */
  writeLong(value: bigint): void {
    const number = Number(value)
    // Beyond ±2^52 twice the number is not exact any more.
    if (number > -TWO_52 && number < TWO_52) {
      this.writeInteger(number)
      return
    }
    const zigzag = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    this.writeVarint(Number(zigzag & 0xfffffffn), Number((zigzag >> 28n) & 0xfffffffn), Number(zigzag >> 56n))
  }

  /** An int, a long, an index or a length. @param value an integer within ±2^52 */
  writeInteger(value: number): void {
    const zigzag = value < 0 ? -2 * value - 1 : 2 * value
    if (zigzag < TWO_28) this.writeVarint(zigzag, 0, 0)
    else {
      const middle = Math.floor(zigzag / TWO_28)
      this.writeVarint(zigzag - middle * TWO_28, middle, 0)
    }
  }

  /** Unsigned, in parts of 28, 28 and 8 bits, lowest first: the parts stay within what bit operations can take. */
  private writeVarint(low: number, middle: number, high: number): void {
    this.reserve(VARINT_BYTES_MAX)
    const { buffer } = this
    let { position } = this
    let part = low
    if (middle !== 0 || high !== 0) {
      for (let count = 0; count < 4; count++, part >>>= 7) buffer[position++] = (part & 0x7f) | 0x80
      part = middle
      if (high !== 0) {
        for (let count = 0; count < 4; count++, part >>>= 7) buffer[position++] = (part & 0x7f) | 0x80
        part = high
      }
    }
    while (part > 0x7f) {
      buffer[position++] = (part & 0x7f) | 0x80
      part >>>= 7
    }
    buffer[position++] = part
    this.position = position
  }

  writeBoolean(value: boolean): void {
    this.writeByte(value ? 1 : 0)
  }

  writeDouble(value: number): void {
    this.reserve(DOUBLE_BYTES)
    this.position = this.buffer.writeDoubleLE(value, this.position)
  }

  /** @returns false, with nothing written, when the text has half a surrogate pair and so is not text */
  writeString(text: string): boolean {
    const units = text.length
    if (units <= SHORT_STRING_UNITS) {
      this.reserve(1 + 3 * units)
      const { buffer } = this
      let position = this.position + 1
      let index = 0
      for (; index < units; index++) {
        const unit = text.charCodeAt(index)
        if (unit > 0x7f) break
        buffer[position++] = unit
      }
      if (index === units) {
        buffer[this.position] = 2 * units
        this.position = position
        return true
      }
      if (!text.isWellFormed()) return false
      const length = buffer.write(text, this.position + 1)
      buffer[this.position] = 2 * length
      this.position += 1 + length
      return true
    }
    const room = RECORD_BYTES_MAX - (this.position - this.start) - VARINT_BYTES_MAX
    return units <= MEDIUM_STRING_UNITS && 3 * units <= room ? this.writeMediumString(text) : this.writeLongString(text)
  }

  /** Takes it for ASCII, as most text is, and looks again only when it was not: one call into native code instead of three. */
  private writeMediumString(text: string): boolean {
    const units = text.length
    this.reserve(VARINT_BYTES_MAX + 3 * units)
    const before = this.position
    this.writeInteger(units)
    const length = this.buffer.write(text, this.position)
    if (length === units) {
      this.position += length
      return true
    }
    this.position = before
    return this.writeLongString(text)
  }

  private writeLongString(text: string): boolean {
    if (!text.isWellFormed()) return false
    const length = Buffer.byteLength(text)
    this.reserve(VARINT_BYTES_MAX + length)
    this.writeInteger(length)
    this.position += this.buffer.write(text, this.position)
    return true
  }

  writeBytes(bytes: Uint8Array): void {
    this.reserve(VARINT_BYTES_MAX + bytes.length)
    this.writeInteger(bytes.length)
    this.buffer.set(bytes, this.position)
    this.position += bytes.length
  }

  /** Bytes that hold a signed integer, big-endian. @param length at most 6 */
  writeIntegerBytes(value: number, length: number): void {
    this.reserve(VARINT_BYTES_MAX + length)
    this.writeInteger(length)
    this.position = this.buffer.writeIntBE(value, this.position, length)
  }

  private reserve(bytes: number): void {
    if (this.position + bytes <= this.buffer.length) return
    const written = this.position - this.start
    const needed = written + bytes
    if (needed > RECORD_BYTES_MAX) throw new RecordTooLarge()
    // A record that outgrows a slab gets one of its own, with room to grow.
    const size = needed > SLAB_BYTES / 2 ? Math.min(RECORD_BYTES_MAX, 2 * needed) : SLAB_BYTES
    const next = Buffer.allocUnsafeSlow(size)
    this.buffer.copy(next, 0, this.start, this.position)
    this.buffer = next
    this.start = 0
    this.position = written
  }
}

/** Reads Avro's binary encoding and trusts nothing in it. Every method throws {@link MalformedBytes}. */
export class AvroReader {
  readonly buffer: Buffer
  position: number
  private low = 0
  private middle = 0
  private high = 0

  constructor(buffer: Buffer, position: number) {
    this.buffer = buffer
    this.position = position
  }

  get remaining(): number {
    return this.buffer.length - this.position
  }

  readLong(): bigint {
    this.readVarint()
    if (this.high === 0 && this.middle < 2 ** 24) return BigInt(this.smallNumber())
    const zigzag = (BigInt(this.high) << 56n) | (BigInt(this.middle) << 28n) | BigInt(this.low)
    return (zigzag >> 1n) ^ -(zigzag & 1n)
  }

  readInt(): number {
    const value = this.readSmall()
    if (value > INT32_MAX || value < INT32_MIN) throw new MalformedBytes('an int is out of range')
    return value
  }

  /** A length of bytes, which have to be there. */
  readLength(): number {
    const length = this.readSmall()
    if (length < 0 || length > this.remaining) throw new MalformedBytes('a length goes beyond the record')
    return length
  }

  /** The number of items in the next block of an array or map; 0 at its end. No item is smaller than a byte. */
  readBlock(): number {
    let count = this.readSmall()
    if (count < 0) {
      // A writer may give the size of a block, so that readers can skip it.
      count = -count
      this.readLength()
    }
    if (count > this.remaining) throw new MalformedBytes('an array or map is longer than the record')
    return count
  }

  readBoolean(): boolean {
    const byte = this.buffer[this.position++]
    if (byte === 0) return false
    if (byte === 1) return true
    throw new MalformedBytes('a boolean is neither 0 nor 1')
  }

  /** Which branch of `["null", T]` follows. */
  readIsNull(): boolean {
    const byte = this.buffer[this.position++]
    if (byte === 0) return true
    if (byte === 2) return false
    throw new MalformedBytes('a union has a branch that its schema has not')
  }

  readDouble(): number {
    if (this.remaining < DOUBLE_BYTES) throw new MalformedBytes('the record ends too soon')
    const value = this.buffer.readDoubleLE(this.position)
    this.position += DOUBLE_BYTES
    return value
  }

  readString(): string {
    const length = this.readLength()
    const start = this.position
    this.position += length
    const text = this.buffer.toString('utf8', start, this.position)
    // Node puts this character for bytes that are not UTF-8; it may also really be there.
    if (text.includes('\ufffd') && !isUtf8(this.buffer.subarray(start, this.position)))
      throw new MalformedBytes('a string is not UTF-8')
    return text
  }

  /** A copy: a view would keep a whole fetch response of Kafka in memory. */
  readBytes(): Buffer {
    const length = this.readLength()
    const start = this.position
    this.position += length
    return Buffer.from(this.buffer.subarray(start, this.position))
  }

  private readSmall(): number {
    this.readVarint()
    if (this.high !== 0 || this.middle >= 2 ** 24) throw new MalformedBytes('a number is out of range')
    return this.smallNumber()
  }

  private smallNumber(): number {
    const zigzag = this.middle * TWO_28 + this.low
    return (this.low & 1) === 0 ? zigzag / 2 : -(zigzag + 1) / 2
  }

  /** Sets low, middle and high to 28, 28 and 8 bits. Reading past the end gives undefined, which ends the loops. */
  private readVarint(): void {
    const { buffer } = this
    let { position } = this
    let byte = buffer[position++]!
    let low = byte & 0x7f
    let middle = 0
    let high = 0
    for (let shift = 7; byte > 0x7f && shift < 28; shift += 7) {
      byte = buffer[position++]!
      low |= (byte & 0x7f) << shift
    }
    for (let shift = 0; byte > 0x7f && shift < 28; shift += 7) {
      byte = buffer[position++]!
      middle |= (byte & 0x7f) << shift
    }
    if (byte > 0x7f) {
      byte = buffer[position++]!
      high = byte & 0x7f
      if (byte > 0x7f) {
        byte = buffer[position++]!
        if (byte > 1) throw new MalformedBytes('a number has more than 64 bits')
        high |= byte << 7
      }
    }
    if (position > buffer.length) throw new MalformedBytes('the record ends too soon')
    this.position = position
    this.low = low
    this.middle = middle
    this.high = high
  }
}

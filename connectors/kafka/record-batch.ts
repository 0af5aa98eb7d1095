import { crc32c } from './crc32c.ts'

/** What a record of a batch is made of. Headers and keys are text. */
export interface BatchRecord {
  readonly key: string
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, string>>
}

/** What an idempotent producer puts into a batch, so that the broker recognises a repetition. */
export interface BatchSequence {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly firstSequence: number
}

const MAGIC = 2
/** Up to the record count, inclusive. */
const BATCH_HEAD_BYTES = 61
/** Where the checksum is, and where what it covers begins. */
const CHECKSUM_AT = 17
const CHECKED_FROM = 21
/** What the length field does not count: the base offset and itself. */
const UNCOUNTED_BYTES = 12
/** Length, attributes, timestamp, offset, lengths of key and value, header count: the most they take. */
const RECORD_HEAD_BYTES_MAX = 27
/** Lengths of a header's name and value. */
const HEADER_HEAD_BYTES_MAX = 10
const UTF8_BYTES_MAX = 3

/** An upper bound of what {@link writeRecordBatch} writes, without counting the characters of texts. */
export function recordBatchBytesMax(records: readonly BatchRecord[]): number {
  let bytes = BATCH_HEAD_BYTES
  for (const { key, value, headers } of records) {
    bytes += RECORD_HEAD_BYTES_MAX + UTF8_BYTES_MAX * key.length + (value === null ? 0 : value.length)
    for (const name in headers) bytes += HEADER_HEAD_BYTES_MAX + UTF8_BYTES_MAX * (name.length + headers[name]!.length)
  }
  return bytes
}

/**
 * Writes an uncompressed record batch of format version 2, as Kafka's documentation describes it under "Message format".
 * @param at where it begins; there must be room for {@link recordBatchBytesMax}
 * @returns where it ends
 */
export function writeRecordBatch(
  bytes: Buffer,
  at: number,
  records: readonly BatchRecord[],
  { producerId, producerEpoch, firstSequence }: BatchSequence,
  timestampMs: number,
): number {
  const timestamp = BigInt(timestampMs)
  let end = at + BATCH_HEAD_BYTES
  for (let index = 0; index < records.length; index++) end = writeRecord(bytes, end, records[index]!, index)
  bytes.writeBigInt64BE(0n, at)
  bytes.writeInt32BE(end - at - UNCOUNTED_BYTES, at + 8)
  bytes.writeInt32BE(0, at + 12)
  bytes[at + 16] = MAGIC
  bytes.writeInt16BE(0, at + CHECKED_FROM)
  bytes.writeInt32BE(records.length - 1, at + 23)
  bytes.writeBigInt64BE(timestamp, at + 27)
  bytes.writeBigInt64BE(timestamp, at + 35)
  bytes.writeBigInt64BE(producerId, at + 43)
  bytes.writeInt16BE(producerEpoch, at + 51)
  bytes.writeInt32BE(firstSequence, at + 53)
  bytes.writeInt32BE(records.length, at + 57)
  bytes.writeUInt32BE(crc32c(bytes, at + CHECKED_FROM, end), at + CHECKSUM_AT)
  return end
}

function writeRecord(bytes: Buffer, at: number, record: BatchRecord, offset: number): number {
  // The length comes first and is known last. Room is left for what it takes when all text is ASCII, as it nearly always is.
  const lengthBytes = varintBytes(asciiBytes(record, offset))
  const start = at + lengthBytes
  const end = writeBody(bytes, start, record, offset)
  const length = end - start
  const missing = varintBytes(length) - lengthBytes
  if (missing > 0) bytes.copyWithin(start + missing, start, end)
  writeVarint(bytes, at, length)
  return end + missing
}

/** The bytes of a record's body if all its text is ASCII. */
function asciiBytes({ key, value, headers }: BatchRecord, offset: number): number {
  let bytes = 2 + varintBytes(offset) + varintBytes(key.length) + key.length
  bytes += value === null ? 1 : varintBytes(value.length) + value.length
  let count = 0
  for (const name in headers) {
    const text = headers[name]!
    count++
    bytes += varintBytes(name.length) + name.length + varintBytes(text.length) + text.length
  }
  return bytes + varintBytes(count)
}

function writeBody(bytes: Buffer, at: number, { key, value, headers }: BatchRecord, offset: number): number {
  // Attributes, and the difference from the batch's timestamp.
  bytes[at] = 0
  bytes[at + 1] = 0
  let end = writeVarint(bytes, at + 2, offset)
  end = writeText(bytes, end, key)
  if (value === null)
    bytes[end++] = 1 // the length -1
  else {
    end = writeVarint(bytes, end, value.length)
    bytes.set(value, end)
    end += value.length
  }
  let count = 0
  for (const _ in headers) count++
  end = writeVarint(bytes, end, count)
  for (const name in headers) end = writeText(bytes, writeText(bytes, end, name), headers[name]!)
  return end
}

/** Below this length a loop is faster than a call into native code. */
const LOOP_UNITS_MAX = 48

function writeText(bytes: Buffer, at: number, text: string): number {
  const units = text.length
  if (units <= LOOP_UNITS_MAX) {
    const start = writeVarint(bytes, at, units)
    let index = 0
    for (; index < units; index++) {
      const unit = text.charCodeAt(index)
      if (unit > 0x7f) break
      bytes[start + index] = unit
    }
    if (index === units) return start + units
  }
  const start = writeVarint(bytes, at, Buffer.byteLength(text))
  return start + bytes.write(text, start)
}

/** Writes a number from 0 to 2^30 in the zigzag form that signed numbers have. */
function writeVarint(bytes: Buffer, at: number, value: number): number {
  let end = at
  let left = value << 1
  while (left > 0x7f) {
    bytes[end++] = (left & 0x7f) | 0x80
    left >>>= 7
  }
  bytes[end++] = left
  return end
}

function varintBytes(value: number): number {
  if (value < 1 << 6) return 1
  if (value < 1 << 13) return 2
  if (value < 1 << 20) return 3
  return value < 1 << 27 ? 4 : 5
}

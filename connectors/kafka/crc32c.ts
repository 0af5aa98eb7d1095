/** CRC-32C (Castagnoli), reflected. */
const POLYNOMIAL = 0x82f63b78
/** Bytes taken at one step: eight look-ups that do not wait for one another, where a byte at a time waits at each. */
const SLICES = 8
const TABLE_ENTRIES = 256

/** `TABLES[n * 256 + b]`: the checksum of byte `b` followed by `n` zero bytes. */
const TABLES = makeTables()

function makeTables(): Int32Array {
  const tables = new Int32Array(SLICES * TABLE_ENTRIES)
  for (let byte = 0; byte < TABLE_ENTRIES; byte++) {
    let sum = byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1
    tables[byte] = sum
  }
  for (let at = TABLE_ENTRIES; at < tables.length; at++) {
    const before = tables[at - TABLE_ENTRIES]!
    tables[at] = (before >>> 8) ^ tables[before & 0xff]!
  }
  return tables
}

/** The checksum that Kafka keeps for a record batch, of `bytes` from `start` to `end`; unsigned. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  const table = TABLES
  let sum = -1
  let at = start
  for (const last = end - SLICES; at <= last; at += SLICES) {
    sum ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    sum =
      table[1792 + (sum & 0xff)]! ^
      table[1536 + ((sum >>> 8) & 0xff)]! ^
      table[1280 + ((sum >>> 16) & 0xff)]! ^
      table[1024 + (sum >>> 24)]! ^
      table[768 + bytes[at + 4]!]! ^
      table[512 + bytes[at + 5]!]! ^
      table[256 + bytes[at + 6]!]! ^
      table[bytes[at + 7]!]!
  }
  for (; at < end; at++) sum = (sum >>> 8) ^ table[(sum ^ bytes[at]!) & 0xff]!
  return ~sum >>> 0
}

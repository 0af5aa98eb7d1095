const SEED = 0x9747b28c
const M = 0x5bd1e995
const R = 24

/**
 * Kafka's hash of a record key: the same number as in the Java client (`Utils.murmur2`), so that every producer puts a key on the same
 * partition. In 32-bit integers; the library's own computes in 64-bit objects, which cost more than the rest of partitioning.
 */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length
  let hash = SEED ^ length
  let at = 0
  for (const end = length & ~3; at < end; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    word = Math.imul(word, M)
    word ^= word >>> R
    hash = Math.imul(hash, M) ^ Math.imul(word, M)
  }
  const left = length & 3
  if (left > 0) {
    if (left === 3) hash ^= bytes[at + 2]! << 16
    if (left >= 2) hash ^= bytes[at + 1]! << 8
    hash = Math.imul(hash ^ bytes[at]!, M)
  }
  hash ^= hash >>> 13
  hash = Math.imul(hash, M)
  return hash ^ (hash >>> 15)
}

/** The partition of a key among `partitions`, as the Java client's default partitioner chooses it. */
export function partitionOf(key: string, partitions: number): number {
  const length = keyScratch.write(key, 0)
  const whole = length < SCRATCH_BYTES - UTF8_BYTES_MAX ? keyScratch.subarray(0, length) : Buffer.from(key)
  return (murmur2(whole) & 0x7fffffff) % partitions
}

const SCRATCH_BYTES = 1_024
const UTF8_BYTES_MAX = 4
const keyScratch = Buffer.alloc(SCRATCH_BYTES)

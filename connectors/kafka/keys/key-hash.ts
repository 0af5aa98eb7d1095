/** Where a key is kept in a table of keys: 64 bits that stand for a key and its partition. */
export interface KeyHash {
  /** Chooses the slice of the key space, 32 bits. */
  slice: number
  /** Tells keys of a slice apart, 32 bits. */
  rest: number
}

const FACTOR_1 = 0xcc9e2d51 | 0
const FACTOR_2 = 0x1b873593
const FINAL_1 = 0x85ebca6b | 0
const FINAL_2 = 0xc2b2ae35 | 0
const ADDEND_1 = 0x561ccd1b
const ADDEND_2 = 0x0bcaa747

/**
 * Two 32-bit lanes that are mixed into each other at every word, with the constants and the finish of MurmurHash3. Not for defence: whoever can
 * choose keys could make two of them meet. By chance it happens to one run in a million with five million keys; the library's
 * cryptographic hashes are free of both and cost as much as all the rest of the reading.
 * @param into is filled and returned, so that no object is made for each record
 */
export function hashKey(key: Uint8Array, partition: number, into: KeyHash): KeyHash {
  const length = key.length
  let one = partition
  let two = length
  let at = 0
  for (const end = length & ~3; at < end; at += 4) {
    const word = key[at]! | (key[at + 1]! << 8) | (key[at + 2]! << 16) | (key[at + 3]! << 24)
    one = (Math.imul(rotate(one ^ mix(word, FACTOR_1, FACTOR_2), 19) + two, 5) + ADDEND_1) | 0
    two = (Math.imul(rotate(two ^ mix(word, FACTOR_2, FACTOR_1), 17) + one, 5) + ADDEND_2) | 0
  }
  let word = 0
  for (let shift = 0; at < length; at++, shift += 8) word |= key[at]! << shift
  one = (one ^ mix(word, FACTOR_1, FACTOR_2)) + two
  two = (two ^ mix(word, FACTOR_2, FACTOR_1)) + one
  one = (finish(one) + finish(two)) | 0
  two = (finish(two) + one) | 0
  into.slice = finish(one ^ two) >>> 0
  into.rest = two >>> 0
  return into
}

function mix(word: number, before: number, after: number): number {
  return Math.imul(rotate(Math.imul(word, before), 15), after)
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}

function finish(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), FINAL_1)
  mixed = Math.imul(mixed ^ (mixed >>> 13), FINAL_2)
  return mixed ^ (mixed >>> 16)
}

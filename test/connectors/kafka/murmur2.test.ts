import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { murmur2, partitionOf } from '../../../connectors/kafka/murmur2.ts'

const require = createRequire(import.meta.url)
const libraryMurmur2 = require('kafkajs/src/producer/partitioners/default/murmur2.js') as (key: Buffer) => number

/** From UtilsTest of Kafka's Java client. */
const JAVA_VECTORS: Record<string, number> = {
  '21': -973932308,
  foobar: -790332482,
  'a-little-bit-long-string': -985981536,
  'a-little-bit-longer-string': -1486304829,
  lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
  abc: 479470107,
}

test('the hash is that of the Java client', () => {
  for (const [key, hash] of Object.entries(JAVA_VECTORS)) expect(murmur2(Buffer.from(key))).toBe(hash)
})

test('the hash is that of the library for any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      expect(murmur2(bytes)).toBe(libraryMurmur2(Buffer.from(bytes)))
    }),
  )
})

test('a key goes to the partition of its UTF-8 bytes, however long it is', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.integer({ min: 1, max: 200 }),
      (part, partitions) => {
        for (const key of [part, part.repeat(60)])
          expect(partitionOf(key, partitions)).toBe((libraryMurmur2(Buffer.from(key)) & 0x7fffffff) % partitions)
      },
    ),
  )
})

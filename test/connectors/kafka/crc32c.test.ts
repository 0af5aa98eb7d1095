import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32c } from '../../../connectors/kafka/crc32c.ts'

const require = createRequire(import.meta.url)
const libraryCrc32c = require('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number

test('the checksum is that of RFC 3720, appendix B.4', () => {
  const sum = (bytes: Uint8Array) => crc32c(bytes, 0, bytes.length)
  expect(sum(new Uint8Array(32))).toBe(0x8a9136aa)
  expect(sum(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
  expect(sum(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd794e)
  expect(sum(Uint8Array.from({ length: 32 }, (_, index) => 31 - index))).toBe(0x113fdb5c)
})

test('any part of any bytes has the checksum that the library gives it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), (bytes, start) => {
      const from = Math.min(start, bytes.length)
      expect(crc32c(bytes, from, bytes.length)).toBe(libraryCrc32c(Buffer.from(bytes.subarray(from))))
    }),
  )
})

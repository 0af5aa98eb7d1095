import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LARGE_MESSAGE_BYTES, MessageGatherer } from '../../../connectors/postgres/stream/gather.ts'

function messageOf(length: number, seed: number): Buffer {
  const message = Buffer.alloc(5 + length, seed)
  message.writeUInt32BE(4 + length, 1)
  return message
}

const lengths = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 0, max: 3_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: LARGE_MESSAGE_BYTES - 6, max: LARGE_MESSAGE_BYTES + 9 }) },
  ),
  { maxLength: 12 },
)
const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 65_536 })), {
  minLength: 1,
  maxLength: 9,
})

/** Feeds a stream in reads of the given sizes, over and over, through one buffer that is written to again. */
function feed(gatherer: MessageGatherer, stream: Buffer, sizes: readonly number[], onRead: () => void): void {
  const read = Buffer.alloc(65_536)
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const size = Math.min(sizes[turn % sizes.length]!, stream.length - at)
    stream.copy(read, 0, at, at + size)
    gatherer.take(read.subarray(0, size))
    read.fill(0xee)
    at += size
    onRead()
  }
}

describe('whatever the reads are', () => {
  test('the bytes stay the same, in order, and a large message comes whole and by itself', () => {
    fc.assert(
      fc.property(lengths, cuts, (sizes, reads) => {
        const messages = sizes.map((length, index) => messageOf(length, index + 1))
        const out: Buffer[] = []
        feed(new MessageGatherer((bytes) => out.push(bytes), false), Buffer.concat(messages), reads, () => {})
        expect(Buffer.concat(out).equals(Buffer.concat(messages))).toBe(true)
        const large = (all: readonly Buffer[]) => all.filter(({ length }) => length >= LARGE_MESSAGE_BYTES)
        expect(large(out).map(({ length }) => length)).toEqual(large(messages).map(({ length }) => length))
      }),
      { numRuns: 60 },
    )
  })

  test('one at a time: no second large message before the first is given back, and none is lost', () => {
    fc.assert(
      fc.property(lengths, cuts, (sizes, reads) => {
        const messages = sizes.map((length, index) => messageOf(length, index + 1))
        const lent: Buffer[] = []
        let seen = 0
        const gatherer = new MessageGatherer((bytes) => {
          seen += bytes.length
          if (bytes.length >= LARGE_MESSAGE_BYTES) lent.push(bytes)
        }, true)
        const stream = Buffer.concat(messages)
        feed(gatherer, stream, reads, () => {
          while (gatherer.isBlocked) {
            expect(lent.filter(({ length }) => length > 0)).toHaveLength(1)
            gatherer.release()
          }
        })
        expect(seen).toBe(stream.length)
      }),
      { numRuns: 60 },
    )
  })
})

test('a message that was given back holds no memory', () => {
  const out: Buffer[] = []
  const gatherer = new MessageGatherer((bytes) => out.push(bytes), true)
  gatherer.take(messageOf(LARGE_MESSAGE_BYTES, 1))
  expect(out[0]!.length).toBe(LARGE_MESSAGE_BYTES + 5)
  gatherer.release()
  expect(out[0]!.length).toBe(0)
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LARGE_MESSAGE_BYTES, LargeTurn, MessageGatherer } from '../../../../connectors/postgres/stream/gather.ts'

const COPY_DATA = 0x64

function messageOf(length: number, seed: number): Buffer {
  const message = Buffer.alloc(5 + length, seed)
  message[0] = COPY_DATA
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
        feed(new MessageGatherer((bytes) => out.push(bytes)), Buffer.concat(messages), reads, () => {})
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
        }, new LargeTurn())
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
  const gatherer = new MessageGatherer((bytes) => out.push(bytes), new LargeTurn())
  gatherer.take(messageOf(LARGE_MESSAGE_BYTES, 1))
  expect(out[0]!.length).toBe(LARGE_MESSAGE_BYTES + 5)
  gatherer.release()
  expect(out[0]!.length).toBe(0)
})

test('of connections that share a turn, one has a large message at a time, and each gets its turn', () => {
  const turn = new LargeTurn()
  const out: string[] = []
  const names = ['a', 'b', 'c']
  const open = (name: string): MessageGatherer => {
    const gatherer: MessageGatherer = new MessageGatherer(
      () => out.push(name),
      turn,
      () => gatherer.takeHeld(),
    )
    return gatherer
  }
  const gatherers = names.map(open)
  const two = Buffer.concat([messageOf(LARGE_MESSAGE_BYTES, 1), messageOf(LARGE_MESSAGE_BYTES, 2)])
  for (const gatherer of gatherers) gatherer.take(two)
  for (let count = 1; count < 6; count++) {
    expect(out).toHaveLength(count)
    gatherers[names.indexOf(out.at(-1)!)]!.release()
  }
  expect(out).toEqual(['a', 'b', 'c', 'a', 'b', 'c'])
  gatherers[2]!.release()
  expect(turn.isTaken).toBe(false)
})

test('a connection that ends gives its turn to the next, and what it handed out stays', () => {
  const turn = new LargeTurn()
  const first: Buffer[] = []
  const second: Buffer[] = []
  const ending = new MessageGatherer((bytes) => first.push(bytes), turn)
  const waiting: MessageGatherer = new MessageGatherer(
    (bytes) => second.push(bytes),
    turn,
    () => waiting.takeHeld(),
  )
  ending.take(messageOf(LARGE_MESSAGE_BYTES, 1))
  waiting.take(messageOf(LARGE_MESSAGE_BYTES, 2))
  expect([waiting.isBlocked, second.length]).toEqual([true, 0])
  ending.end()
  expect([waiting.isBlocked, second.length]).toEqual([false, 1])
  expect(first[0]!.length).toBe(LARGE_MESSAGE_BYTES + 5)
})

test('large rows of a query do not wait for each other: they are handed out together', () => {
  const out: Buffer[] = []
  const gatherer = new MessageGatherer((bytes) => out.push(bytes), new LargeTurn())
  const row = messageOf(LARGE_MESSAGE_BYTES, 1)
  row[0] = 0x44
  gatherer.take(Buffer.concat([row, row]))
  expect(out).toHaveLength(2)
})

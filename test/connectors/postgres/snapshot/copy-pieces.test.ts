import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { LARGE_ROW_BYTES, takePieces } from '../../../../connectors/postgres/snapshot/copy-pieces.ts'

function openStream() {
  let resumed = 0
  const stream = new Readable({
    read() {
      resumed++
    },
  })
  return { stream, pieces: takePieces(stream), resumed: () => resumed }
}

test('small rows come together, and a large one by itself and without being copied, wherever it stands', async () => {
  const { stream, pieces } = openStream()
  const large = Buffer.alloc(LARGE_ROW_BYTES, 'x')
  for (const row of [Buffer.from('a\n'), Buffer.from('b\n'), large, large, Buffer.from('c\n')]) stream.push(row)
  stream.push(null)
  expect(await pieces.next()).toEqual({ bytes: Buffer.from('a\nb\n'), isLarge: false })
  for (const _ of [1, 2]) {
    const piece = await pieces.next()
    expect(piece?.bytes).toBe(large)
    expect(piece?.isLarge).toBe(true)
  }
  expect(await pieces.next()).toEqual({ bytes: Buffer.from('c\n'), isLarge: false })
  expect(await pieces.next()).toBeUndefined()
})

test('what comes is held up from 64 KB on, until it is taken', async () => {
  const { stream, pieces, resumed } = openStream()
  expect(stream.push(Buffer.alloc(65_535))).toBe(true)
  expect(stream.push(Buffer.alloc(1))).toBe(false)
  expect(resumed()).toBe(0)
  await pieces.next()
  expect(resumed()).toBe(1)
})

test('who waits is woken by a row, by the end and by what broke it', async () => {
  const { stream, pieces } = openStream()
  const row = pieces.next()
  stream.push(Buffer.from('a\n'))
  expect((await row)?.bytes.toString()).toBe('a\n')
  const broken = pieces.next()
  stream.destroy(new Error('gone'))
  await expect(broken).rejects.toThrow('gone')
  await expect(pieces.next()).rejects.toThrow('gone')
  const other = openStream()
  const end = other.pieces.next()
  other.stream.push(null)
  expect(await end).toBeUndefined()
})

test('a stream that is closed before its end is not taken for whole', async () => {
  const { stream, pieces } = openStream()
  stream.destroy()
  await expect(pieces.next()).rejects.toThrow('closed')
})

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { NewestTable } from '../../../../connectors/kafka/keys/newest-table.ts'

const hash = (slice: number, rest: number) => ({ slice, rest })

it('only the newest record of a key is open, and none of a key that ended', () => {
  const table = new NewestTable(4)
  table.note(hash(1, 1), 0n, false)
  table.note(hash(1, 2), 1n, false)
  table.note(hash(1, 1), 2n, false)
  table.note(hash(1, 2), 3n, true)
  expect([0n, 2n].map((offset) => table.isOpen(hash(1, 1), offset))).toEqual([false, true])
  expect([1n, 3n].map((offset) => table.isOpen(hash(1, 2), offset))).toEqual([false, false])
  expect(table.isOpen(hash(9, 9), 0n)).toBe(false)
})

it('it says the same as a map, whatever is noted and dropped, and takes as many keys as it was made for', () => {
  const note = fc.record({ slice: fc.nat(20), rest: fc.nat(3), isEnd: fc.boolean() })
  fc.assert(
    fc.property(fc.array(note, { maxLength: 60 }), fc.nat(20), fc.integer({ min: 1, max: 40 }), (notes, from, size) => {
      const table = new NewestTable(size)
      const wanted = new Map<string, { offset: bigint; isEnd: boolean }>()
      for (const [at, { slice, rest, isEnd }] of notes.entries()) {
        if (at === Math.floor(notes.length / 2)) {
          table.drop(from)
          for (const name of [...wanted.keys()]) if (Number(name.split('/')[0]) >= from) wanted.delete(name)
        }
        const name = `${slice}/${rest}`
        const isTaken = table.note(hash(slice, rest), BigInt(at), isEnd)
        expect(isTaken).toBe(wanted.has(name) || wanted.size < size)
        if (isTaken) wanted.set(name, { offset: BigInt(at), isEnd })
      }
      for (const [at, { slice, rest }] of notes.entries()) {
        const newest = wanted.get(`${slice}/${rest}`)
        const isOpen = newest?.offset === BigInt(at) && !newest.isEnd
        expect(table.isOpen(hash(slice, rest), BigInt(at))).toBe(isOpen)
      }
    }),
  )
})

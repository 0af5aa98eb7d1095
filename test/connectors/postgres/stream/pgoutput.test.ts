import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createDecoder } from '../../../../connectors/postgres/stream/pgoutput.ts'
import { begin, type Column, commit, insert, origin, relation, remove, truncate, update } from './messages.ts'

const decode = createDecoder()

const MESSAGES = [
  begin(5n),
  commit(5n, 9n),
  relation(1, 'customer', [['id', 20]]),
  insert(1, ['1', null, 'ü']),
  update(1, ['1', null], ['1', undefined]),
  update(1, null, ['1', 'b']),
  remove(1, ['1'], 'K'),
  truncate(1, 2),
  origin('erp'),
]

test('each kind of message is read', () => {
  expect(decode(begin(0x1_0000_0005n, 42), 0)).toEqual({
    kind: 'begin',
    commitLsn: 0x1_0000_0005n,
    committedAt: 946_684_800_000_000n,
    xid: 42,
  })
  expect(decode(commit(5n, 9n), 0)).toEqual({ kind: 'commit', endLsn: 9n })
  expect(decode(relation(7, 'customer', [['id', 20]]), 0)).toEqual({
    kind: 'relation',
    id: 7,
    schema: 'public',
    name: 'customer',
    columns: [{ identity: true, name: 'id', typeOid: 20 }],
  })
  expect(decode(truncate(1, 2), 0)).toEqual({ kind: 'truncate', relations: [1, 2] })
  expect(decode(origin('erp'), 0)).toEqual({ kind: 'origin', name: 'erp' })
})

test('rows of any columns are read back exactly', () => {
  const column = fc.oneof(fc.string({ unit: 'binary' }), fc.constant(null), fc.constant(undefined))
  fc.assert(
    fc.property(fc.array(column), fc.array(column), (old, row) => {
      const bytes = update(3, old, row)
      const message = decode(bytes, 0)
      if (message.kind !== 'row') throw new Error('not a row')
      expect(message).toMatchObject({ op: 'update', relation: 3, oldKind: 'full' })
      for (const [tuple, columns] of [
        [message.old, old],
        [message.new, row],
      ] as const) {
        expect(tuple.count).toBe(columns.length)
        const read = columns.map((_, index): Column => {
          if (tuple.kinds[index] === 0x6e) return null
          if (tuple.kinds[index] === 0x75) return undefined
          return bytes.toString('utf8', tuple.starts[index], tuple.ends[index])
        })
        expect(read).toEqual(columns)
      }
    }),
  )
})

test('a message cut off anywhere, or with bytes after it, is refused', () => {
  for (const message of MESSAGES) {
    for (let length = 0; length < message.length; length++)
      expect(() => decode(message.subarray(0, length), 0), `${message} ${length}`).toThrow(
        expect.objectContaining({ code: 'invariant-broken' }),
      )
    expect(() => decode(Buffer.concat([message, Buffer.from([0])]), 0)).toThrow(
      expect.objectContaining({ code: 'invariant-broken' }),
    )
  }
})

test('bytes that are no message are refused, and nothing else is thrown', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...'BCRIUDTO'), (noise, kind) => {
      try {
        decode(Buffer.concat([Buffer.from(kind), noise]), 0)
      } catch (error) {
        expect(error).toMatchObject({ code: 'invariant-broken' })
      }
    }),
  )
})

import { expect, test } from 'vitest'
import { finalError } from '../../../../connectors/postgres/connection.ts'
import { failure } from '../../../../connectors/postgres/failure.ts'
import { allVisible } from '../../../../connectors/postgres/hydrate.ts'
import { formatLsn, parseLsn } from '../../../../connectors/postgres/lsn.ts'
import { checkOwner, checkSlotName, type SlotFacts } from '../../../../connectors/postgres/slot/slot.ts'

const SLOT: SlotFacts = {
  plugin: 'pgoutput',
  slot_type: 'logical',
  database: 'shop',
  temporary: false,
  active: false,
  active_pid: null,
  confirmed_flush_lsn: 0x10n,
  wal_status: 'reserved',
}

test("somebody else's slot is refused", () => {
  for (const other of [
    { plugin: 'wal2json' },
    { slot_type: 'physical', plugin: null },
    { database: 'other' },
    { temporary: true },
  ])
    expect(() => checkOwner('s', { ...SLOT, ...other }, 'shop')).toThrow(
      expect.objectContaining({ code: 'source-unsuitable' }),
    )
  expect(() => checkSlotName('Shop-1')).toThrow(expect.objectContaining({ code: 'declaration-invalid' }))
})

test('positions are written as PostgreSQL writes them', () => {
  for (const text of ['0/0', '0/16B3748', 'FFFFFFFF/FFFFFFFF', '1A/B']) expect(formatLsn(parseLsn(text)!)).toBe(text)
  expect(parseLsn('16B3748')).toBeUndefined()
})

test('a transaction is visible when it is below the snapshot and not running, across the 32-bit border too', () => {
  expect(allVisible('100:105:', [99, 104])).toBe(true)
  expect(allVisible('100:105:101,103', [101])).toBe(false)
  expect(allVisible('100:105:101', [102, 105])).toBe(false)
  const border = 1n << 32n
  expect(allVisible(`${border + 1n}:${border + 5n}:`, [4_294_967_295, 4])).toBe(true)
  expect(allVisible(`${border - 3n}:${border + 5n}:${border - 2n}`, [4_294_967_294])).toBe(false)
  expect(allVisible(`${border - 3n}:${border - 1n}:`, [2])).toBe(false)
})

test("the server's last words are found at the end of whatever was received", () => {
  const fields = 'SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'
  const message = Buffer.alloc(5 + fields.length)
  message.write('E')
  message.writeInt32BE(4 + fields.length, 1)
  message.write(fields, 5)
  const chunk = Buffer.concat([Buffer.from('dEEE some row data ES'), message])
  expect(finalError(chunk)).toMatchObject({
    code: '57P01',
    message: 'terminating connection due to administrator command',
  })
  expect(finalError(Buffer.from('only row data, EEE'))).toBeUndefined()
  expect(finalError(Buffer.alloc(0))).toBeUndefined()
})

test('errors keep the reason and drop what may quote rows', () => {
  const raised = Object.assign(new Error('invalid input syntax for type uuid: "ann@example.org"'), {
    code: '22P02',
    detail: 'Key (email)=(ann@example.org)',
    parameters: ['ann@example.org'],
  })
  const error = failure('reading rows', raised)
  expect(error.code).toBe('source-unsuitable')
  expect(JSON.stringify([error.message, error.cause, String(error.cause)])).not.toContain('ann@')
  expect(failure('x', Object.assign(new Error('in use'), { code: '55006' })).code).toBe('slot-in-use')
  expect(failure('x', Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })).code).toBe('source-unreachable')
  expect(failure('x', Object.assign(new Error('going down'), { code: '57P01' })).fate).toBe('retry')
})

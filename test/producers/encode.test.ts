import { expect, test } from 'vitest'
import { createEncode } from '../../producers/encode.ts'
import type { HydratedEvent } from '../../producers/hydrate.ts'
import { OpenDeadLetters } from '../../producers/open-dead-letters.ts'
import { parseDeletion } from '../../schemas/deletion.ts'
import type { Deletion, Delta } from '../../schemas/delta.ts'
import { TributaryError } from '../../schemas/errors.ts'

const head = {
  entity: 'customer',
  key: '42',
  version: { epoch: 1n, position: 99n, ordinal: 3 },
  source: {
    system: 'postgres',
    instance: 'erp',
    object: 'public.customers',
    position: '0/63',
    transaction: '7',
    committedAt: 1_000n,
    capturedAt: 2_000n,
  },
  origin: null,
}
const delta: Delta = { ...head, op: 'update', changed: ['email'], after: { email: 'secret@example.com' }, claims: {} }

function encoderWith(encode: (delta: Delta) => Buffer) {
  const unencodable: string[] = []
  const encodeEvent = createEncode({
    prefix: 'acme',
    source: 'erp',
    encoders: new Map([['customer', encode]]),
    deadLetters: new OpenDeadLetters(),
    onUnencodable: ({ entity }) => unencodable.push(entity),
  })
  const encoded = (event: HydratedEvent) => {
    const items = [encodeEvent(event)].flat()
    expect(items).toHaveLength(1)
    return items[0]!
  }
  return { encoded, unencodable }
}

test('a delete is a null value with its version in the headers', () => {
  const deletion: Deletion = { ...head, op: 'delete' }
  const item = encoderWith(() => Buffer.alloc(0)).encoded({ kind: 'change', change: deletion, missing: [] })
  if (item.kind !== 'record') throw new Error('not a record')
  expect(item.record).toMatchObject({ topic: 'acme.customer', key: '42', value: null })
  expect(parseDeletion('customer', '42', item.record.headers)).toMatchObject({ version: head.version, op: 'delete' })
})

test('a delete whose headers do not fit becomes a capture dead letter too, and capture goes on', () => {
  const source = { ...head.source, object: `public.${'x'.repeat(5_000)}` }
  const { encoded, unencodable } = encoderWith(() => Buffer.alloc(0))
  const item = encoded({ kind: 'change', change: { ...head, source, op: 'delete' }, missing: [] })
  expect(item).toMatchObject({ kind: 'record', record: { topic: 'acme.erp.capture-dead-letter', key: 'customer/42' } })
  expect(unencodable).toEqual(['customer'])
})

test('a value that does not fit becomes a capture dead letter without any value of the row', () => {
  const { encoded, unencodable } = encoderWith(() => {
    throw new TributaryError('value-unencodable', 'the field email of customer is too long')
  })
  const item = encoded({ kind: 'change', change: delta, missing: [] })
  if (item.kind !== 'record') throw new Error('not a record')
  expect(item.record.topic).toBe('acme.erp.capture-dead-letter')
  expect(item.record.key).toBe('customer/42')
  const body = item.record.value!.toString()
  expect(JSON.parse(body)).toMatchObject({ entity: 'customer', key: '42', version: '1/99/3' })
  expect(body).not.toContain('secret@example.com')
  expect(unencodable).toEqual(['customer'])
})

test('any other failure of the encoder stops: it would be a defect, not a bad row', () => {
  const { encoded } = encoderWith(() => {
    throw new TypeError('undefined is not a function')
  })
  expect(() => encoded({ kind: 'change', change: delta, missing: [] })).toThrowError(TypeError)
})

test('the resume state is a barrier on the positions topic', () => {
  const value = { epoch: 1, system: '7' }
  const item = encoderWith(() => Buffer.alloc(0)).encoded({ kind: 'state', name: 'history', value })
  if (item.kind !== 'barrier') throw new Error('not a barrier')
  expect(item.record).toMatchObject({ topic: 'acme.positions', key: 'erp/history' })
  expect(JSON.parse(item.record.value!.toString())).toEqual(value)
})

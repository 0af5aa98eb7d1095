import { expect, test } from 'vitest'
import type { OutgoingRecord, Producer } from '../../../connectors/kafka/producer.ts'
import {
  type DeadLetter,
  DeadLetterWriter,
  deadLetterRecord,
  resolvedRecord,
} from '../../../consumers/letters/dead-letter.ts'

const LETTER: DeadLetter = {
  entity: 'customer',
  key: 'k1',
  topic: 'shop.customer',
  partition: 2,
  offset: 41n,
  value: Buffer.from('the bytes'),
  headers: { 'tributary-id': Buffer.from('erp/public.customers/1/2/3'), traceparent: '00-1', gone: undefined },
  stage: 'apply',
  code: '23514',
  reason: 'a check failed',
  attempts: 3,
  replays: 2,
  nextTryAtMs: null,
  firstFailedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5),
}

test('a dead letter keeps its bytes and headers, and says what failed as Kafka Connect does and in our words', () => {
  const record = deadLetterRecord('shop', 'crm', LETTER)
  expect(record).toMatchObject({ topic: 'shop.crm.dead-letter', key: 'customer/k1', value: LETTER.value })
  expect(record.headers).toEqual({
    'tributary-id': 'erp/public.customers/1/2/3',
    traceparent: '00-1',
    '__connect.errors.topic': 'shop.customer',
    '__connect.errors.partition': '2',
    '__connect.errors.offset': '41',
    '__connect.errors.stage': 'TASK_PUT',
    '__connect.errors.exception.class.name': '23514',
    '__connect.errors.exception.message': 'a check failed',
    'tributary.subscriber': 'crm',
    'tributary.code': '23514',
    'tributary.attempts': '3',
    'tributary.first-failed-at': '2026-01-02T03:04:05.000Z',
    'tributary.replays': '2',
    'tributary.state': 'dead',
  })
})

test('a delete that was given up is not a tombstone, which would end its own dead letter', () => {
  expect(deadLetterRecord('shop', 'crm', { ...LETTER, value: null }).value).toEqual(Buffer.alloc(0))
})

test('a record without a key that can be read is told by its place', () => {
  expect(deadLetterRecord('shop', 'crm', { ...LETTER, key: null }).key).toBe('customer/@2-41')
})

test('texts in headers are bounded', () => {
  const headers = { huge: Buffer.alloc(100_000, 'x'), small: 'kept' }
  const record = deadLetterRecord('shop', 'crm', { ...LETTER, headers, reason: 'r'.repeat(10_000) })
  expect(record.headers.huge).toBeUndefined()
  expect(record.headers.small).toBe('kept')
  expect(record.headers['__connect.errors.exception.message']).toHaveLength(1_024)
})

test('a key that succeeded gets a tombstone under the same key', () => {
  expect(resolvedRecord('shop', 'crm', 'customer', 'k1')).toMatchObject({
    topic: 'shop.crm.dead-letter',
    key: 'customer/k1',
    value: null,
  })
})

test('writes go one after the other, and a failed one is followed by a new producer', async () => {
  const log: string[] = []
  let opened = 0
  let failing = false
  const open = (): Producer => {
    const name = `p${++opened}`
    let sending = false
    return {
      connect: async () => void log.push(`${name} connects`),
      async send(records: readonly OutgoingRecord[]) {
        expect(sending).toBe(false)
        sending = true
        await new Promise((resolve) => setImmediate(resolve))
        sending = false
        if (failing) throw new Error('refused')
        log.push(`${name} sends ${records.map(({ key }) => key)}`)
      },
      close: async () => void log.push(`${name} closes`),
    }
  }
  const record = (key: string) => [resolvedRecord('shop', 'crm', 'e', key)]
  const writer = new DeadLetterWriter(open)
  await Promise.all([writer.write(record('1')), writer.write(record('2'))])
  failing = true
  await expect(writer.write(record('3'))).rejects.toThrow('refused')
  failing = false
  await writer.write(record('4'))
  await writer.close()
  expect(log).toEqual([
    'p1 connects',
    'p1 sends e/1',
    'p1 sends e/2',
    'p1 closes',
    'p2 connects',
    'p2 sends e/4',
    'p2 closes',
  ])
})

test('one who writes again as soon as it has heard is heard as well', async () => {
  const quick = { connect: async () => {}, send: async () => {}, close: async () => {} }
  const writer = new DeadLetterWriter(() => quick)
  const record = (key: string) => [resolvedRecord('shop', 'crm', 'e', key)]
  for (let again = 0; again < 5; again++) await writer.write(record(String(again)))
  await writer.close()
})

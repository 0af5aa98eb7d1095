import { expect, it } from 'vitest'
import { parseDeadLetter } from '../../schemas/dead-letter.ts'

const KEY = Buffer.from('customer/a/b')
const VALUE = Buffer.from([0])
const HEADERS = {
  'tributary-id': 'erp/public.customers/1/2/0',
  '__connect.errors.topic': 'shop.customer',
  '__connect.errors.partition': '4',
  '__connect.errors.offset': '9007199254740993',
  '__connect.errors.stage': 'TASK_PUT',
  '__connect.errors.exception.class.name': 'INVALID_EMAIL',
  '__connect.errors.exception.message': 'refused by a rule',
  'tributary.code': 'INVALID_EMAIL',
  'tributary.attempts': '5',
  'tributary.first-failed-at': '2026-11-22T10:00:00.000Z',
  'tributary.replays': '2',
  'tributary.state': 'retrying',
  'tributary.next-try-at': '2026-11-22T11:00:00.000Z',
}
const buffers = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]))

it('a letter says what was refused, why, how often, and when it is tried again', () => {
  expect(parseDeadLetter(KEY, VALUE, buffers(HEADERS))).toEqual({
    entity: 'customer',
    key: 'a/b',
    hasReadableKey: true,
    code: 'INVALID_EMAIL',
    reason: 'refused by a rule',
    stage: 'apply',
    attempts: 5,
    firstFailedAt: '2026-11-22T10:00:00.000Z',
    replays: 2,
    state: 'retrying',
    nextTryAt: '2026-11-22T11:00:00.000Z',
    topic: 'shop.customer',
    partition: 4,
    offset: 9007199254740993n,
  })
})

it('a letter without a state, as older ones are, is dead', () => {
  const { 'tributary.state': _, ...older } = HEADERS
  expect(parseDeadLetter(KEY, VALUE, older)).toMatchObject({ state: 'dead', nextTryAt: null })
})

it('a letter without any header is still one', () => {
  expect(parseDeadLetter(KEY, Buffer.alloc(0), {})).toMatchObject({
    code: 'unknown',
    state: 'dead',
    attempts: 0,
    firstFailedAt: null,
    partition: null,
    offset: null,
  })
})

it('headers that hold something else are taken as not said', () => {
  const headers = { ...HEADERS, 'tributary.attempts': '-1', 'tributary.first-failed-at': 'once', 'tributary.code': '' }
  const letter = parseDeadLetter(KEY, VALUE, { ...headers, '__connect.errors.offset': 'x' })
  expect(letter).toMatchObject({ attempts: 0, firstFailedAt: null, code: 'INVALID_EMAIL', offset: null })
})

it('of a header that is there twice the last one counts, and no more than 1,024 characters of it', () => {
  const twice = [Buffer.from('first'), Buffer.from('x'.repeat(5_000))] as unknown as Buffer
  expect(parseDeadLetter(KEY, VALUE, { 'tributary.code': twice })?.code).toBe('x'.repeat(1_024))
})

it('a record without a readable key goes by its place', () => {
  const headers = { ...HEADERS, '__connect.errors.offset': '77' }
  const letter = parseDeadLetter(Buffer.from('customer/@4-77'), VALUE, headers)
  expect(letter).toMatchObject({ key: '@4-77', hasReadableKey: false })
})

it('what ends a letter, or has no name, is none', () => {
  expect(parseDeadLetter(KEY, null, HEADERS)).toBeUndefined()
  expect(parseDeadLetter(null, VALUE, HEADERS)).toBeUndefined()
  expect(parseDeadLetter(Buffer.from('nothing'), VALUE, HEADERS)).toBeUndefined()
})

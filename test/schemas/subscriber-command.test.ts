import { describe, expect, it } from 'vitest'
import { KEY_BYTES_MAX } from '../../schemas/key.ts'
import {
  type CommandAnswer,
  formatMessage,
  MESSAGE_BYTES_MAX,
  parseMessage,
  REASON_CHARACTERS_MAX,
  reasonText,
  type SubscriberCommand,
} from '../../schemas/subscriber-command.ts'

const AT = '2026-11-22T10:00:00.000Z'
const LETTER = {
  id: 'b7c1-0001',
  entity: 'customer',
  key: '42',
  partition: 3,
  letter: { partition: 1, offset: 2n ** 60n },
  at: AT,
}
const REPLAY: SubscriberCommand = { kind: 'replay', ...LETTER }
const MESSAGES: readonly (SubscriberCommand | CommandAnswer)[] = [
  REPLAY,
  { kind: 'discard', ...LETTER, reason: 'sold to another company' },
  { kind: 'resync', id: 'b7c1-0002', entity: 'customer', partition: 0, key: null, at: AT },
  { kind: 'resync', id: 'b7c1-0003', entity: 'customer', partition: 0, key: '["a","b"]', at: AT },
  { kind: 'done', id: 'b7c1-0001', of: 'replay', result: 'applied', code: null, records: 1, at: AT },
  { kind: 'done', id: 'b7c1-0001', of: 'replay', result: 'failed', code: 'INVALID_EMAIL', records: 1, at: AT },
  { kind: 'progress', id: 'b7c1-0002', done: 10, of: 900 },
]

const read = ({ key, value }: { key: string; value: Buffer }) => parseMessage(Buffer.from(key), value)
const readJson = (json: unknown) => parseMessage(Buffer.from('b7c1-0001'), Buffer.from(JSON.stringify(json)))

describe('messages of a commands topic', () => {
  it.each(MESSAGES)('$kind is read as it was written', (message) => {
    expect(read(formatMessage(message))).toEqual(message)
  })

  it('an answer takes the place of its command, and progress does not', () => {
    const keys = [MESSAGES[0]!, MESSAGES[4]!, MESSAGES[6]!].map((message) => formatMessage(message).key)
    expect(keys).toEqual(['b7c1-0001', 'b7c1-0001', 'b7c1-0002/progress'])
  })

  it('the longest key and reason fit, whatever their characters', () => {
    const key = '\u0001'.repeat(KEY_BYTES_MAX)
    const written = formatMessage({ kind: 'discard', ...LETTER, key, reason: '\u{1f600}'.repeat(250) })
    expect(written.value.length).toBeLessThan(MESSAGE_BYTES_MAX)
    expect(read(written)).toMatchObject({ kind: 'discard', key })
  })

  it.each([
    ['another kind', { ...REPLAY, letter: { partition: 1, offset: '5' }, kind: 'explode' }],
    ['a property too many', { ...REPLAY, letter: { partition: 1, offset: '5' }, force: true }],
    ['an offset as a number', { ...REPLAY, letter: { partition: 1, offset: 5 } }],
    ['a time that is none', { ...REPLAY, letter: { partition: 1, offset: '5' }, at: 'yesterday' }],
    ['a key that no record can have', { ...REPLAY, letter: { partition: 1, offset: '5' }, key: 'x'.repeat(4097) }],
    ['the id of another record', { ...REPLAY, letter: { partition: 1, offset: '5' }, id: 'b7c1-0009' }],
    ['a discard without a reason', { ...REPLAY, kind: 'discard', letter: { partition: 1, offset: '5' }, reason: '' }],
    ['no object', 'replay'],
  ])('%s is told apart, and nothing of it is repeated', (_, json) => {
    const message = readJson(json)
    expect(message).toMatchObject({ kind: 'unreadable' })
    expect(JSON.stringify(message)).not.toMatch(/explode|yesterday|xxx/)
  })

  it('what is too large is not parsed, what is no JSON is not thrown, and no value says nothing', () => {
    const large = parseMessage(Buffer.from('b7c1-0001'), Buffer.alloc(MESSAGE_BYTES_MAX + 1, '['))
    expect(large).toMatchObject({ kind: 'unreadable', reason: expect.stringContaining('larger') })
    expect(parseMessage(null, Buffer.from([0xff, 0xfe]))).toMatchObject({ kind: 'unreadable' })
    expect(parseMessage(Buffer.from('b7c1-0001'), null)).toBeNull()
  })
})

it('a reason is one line, and neither empty nor endless', () => {
  expect(reasonText('  sold \n to\tanother ')).toBe('sold to another')
  expect(reasonText(' \n ')).toBeUndefined()
  expect(reasonText('x'.repeat(REASON_CHARACTERS_MAX + 1))).toBeUndefined()
})

import { expect, it } from 'vitest'
import { formatHeartbeat, parseHeartbeat } from '../../../../connectors/postgres/slot/heartbeat.ts'

it('reads back when a heartbeat was sent', () => {
  expect(parseHeartbeat(Buffer.from(formatHeartbeat('shop', 'own', 1_790_000_000_123_456n)), 'own')).toBe(
    1_790_000_000_123_456n,
  )
})

it.each([
  ['of another slot', formatHeartbeat('shop', 'other', 1n)],
  ['not JSON', 'beat'],
  ['null', 'null'],
  ['without a time', '{"slot":"own"}'],
  ['with another time', '{"slot":"own","sentAt":1}'],
  ['with a negative time', '{"slot":"own","sentAt":"-1"}'],
  ['very long', JSON.stringify({ slot: 'own', sentAt: '1', more: 'x'.repeat(2_000) })],
])('takes no message that is %s', (_, content) => {
  expect(parseHeartbeat(Buffer.from(content), 'own')).toBeUndefined()
})

import { expect, it } from 'vitest'
import { FAILURES_MAX, Outstanding } from '../../../../ops/dead-letters/subscriber/outstanding.ts'
import { Pace } from '../../../../ops/dead-letters/subscriber/pace.ts'
import type { CommandDone, SubscriberCommand } from '../../../../schemas/subscriber-command.ts'

const AT = '2026-11-22T10:00:00.000Z'
const command = (id: string): SubscriberCommand => ({
  kind: 'replay',
  id,
  entity: 'customer',
  key: id,
  partition: 0,
  letter: { partition: 0, offset: 1n },
  at: AT,
})
const asked = (key: string) => ({ entity: 'customer', key, hasReadableKey: true })
const done = (id: string, result: CommandDone['result'], code: string | null = null): CommandDone => ({
  kind: 'done',
  id,
  of: 'replay',
  result,
  code,
  records: 1,
  at: AT,
})

it('each command is counted once, by its own answer, and other messages are passed over', () => {
  const outstanding = new Outstanding()
  for (const id of ['a', 'b', 'c']) outstanding.sent(command(id), asked(id), true)
  outstanding.take(done('a', 'applied'))
  outstanding.take(done('a', 'applied'))
  outstanding.take(done('x', 'applied'))
  outstanding.take(command('b'))
  outstanding.take(null)
  outstanding.take(done('b', 'failed', 'INVALID'))
  expect([outstanding.waiting, outstanding.awaits('c'), outstanding.awaits('a')]).toEqual([1, true, false])
  expect(outstanding.tally()).toEqual({
    sent: 3,
    results: { applied: 1, gone: 0, failed: 1, discarded: 0, resynced: 0 },
    codes: { INVALID: 1 },
    failures: [{ entity: 'customer', key: 'b', hasReadableKey: true, code: 'INVALID' }],
  })
})

it('what is not awaited is not kept; failures are named up to a bound, and counted beyond it', () => {
  const outstanding = new Outstanding()
  outstanding.sent(command('z'), asked('z'), false)
  expect(outstanding.waiting).toBe(0)
  for (let at = 0; at < 3_000; at++) {
    outstanding.sent(command(String(at)), asked(String(at)), true)
    outstanding.take(done(String(at), 'failed', `CODE-${at}`))
  }
  const { results, codes, failures } = outstanding.tally()
  expect([results.failed, failures.length]).toEqual([3_000, FAILURES_MAX])
  expect(Object.keys(codes).length).toBeLessThanOrEqual(1_001)
  expect(Object.values(codes).reduce((sum, one) => sum + one, 0)).toBe(3_000)
})

it('no more is sent than the rate allows, and what was not used is not saved up', () => {
  const pace = new Pace(10, 0)
  expect([pace.take(100, 0), pace.take(100, 0), pace.take(100, 100)]).toEqual([1, 0, 1])
  expect(pace.take(100, 60_000)).toBe(2)
  let sent = 0
  for (let nowMs = 60_000; nowMs < 70_000; nowMs += 7) sent += pace.take(100, nowMs)
  expect(sent).toBeGreaterThanOrEqual(99)
  expect(sent).toBeLessThanOrEqual(100)
  expect(new Pace(Number.POSITIVE_INFINITY, 0).take(500, 0)).toBe(500)
})

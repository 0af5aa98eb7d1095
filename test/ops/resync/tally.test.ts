import { expect, test } from 'vitest'
import { resyncCommands } from '../../../ops/resync/resync.ts'
import { ResyncTally } from '../../../ops/resync/tally.ts'
import type { CommandDone } from '../../../schemas/subscriber-command.ts'

const SUBSCRIBER = {
  name: 'crm',
  mappings: [{ entity: { name: 'customer', partitions: 3 } }, { entity: { name: 'order', partitions: 2 } }],
} as unknown as Parameters<typeof resyncCommands>[0]

const done = (id: string, result: CommandDone['result'], records: number, code: string | null = null): CommandDone => ({
  kind: 'done',
  id,
  of: 'resync',
  result,
  code,
  records,
  at: new Date(0).toISOString(),
})

test('there is a command for each partition, and one alone for a key', () => {
  const places = (only?: string, key?: string) =>
    resyncCommands(SUBSCRIBER, only, key, new Date(0)).map(({ entity, partition, key }) => [entity, partition, key])
  expect(places()).toEqual([
    ['customer', 0, null],
    ['customer', 1, null],
    ['customer', 2, null],
    ['order', 0, null],
    ['order', 1, null],
  ])
  expect(places('order', '42')).toEqual([['order', expect.any(Number), '42']])
  expect(() => places('unknown')).toThrow('it takes: customer, order')
})

test('news add up over partitions, and only what is new counts as heard', () => {
  const commands = resyncCommands(SUBSCRIBER, 'order', undefined, new Date(0))
  const [first, second] = commands as [(typeof commands)[0], (typeof commands)[0]]
  const tally = new ResyncTally(commands)
  expect(tally.take({ kind: 'progress', id: first.id, done: 50, of: 100 })).toBe(true)
  expect(tally.take({ kind: 'progress', id: first.id, done: 50, of: 100 })).toBe(false)
  expect(tally.take({ kind: 'progress', id: 'another-one', done: 50, of: 100 })).toBe(false)
  expect(tally.take(first)).toBe(false)
  expect(tally.news()).toEqual({ partitions: 2, answered: 0, done: 0.25, keys: 0 })
  expect(tally.take(done(first.id, 'resynced', 7))).toBe(true)
  expect(tally.take(done(second.id, 'failed', 0, 'kafka-unreachable'))).toBe(true)
  expect(tally.news()).toEqual({ partitions: 2, answered: 2, done: 1, keys: 7 })
  expect(tally.failed).toEqual([{ entity: 'order', partition: 1, code: 'kafka-unreachable' }])
})

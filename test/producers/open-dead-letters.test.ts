import { expect, test } from 'vitest'
import type { OutgoingRecord } from '../../connectors/kafka/producer.ts'
import { createEncode } from '../../producers/encode.ts'
import type { HydratedEvent } from '../../producers/hydrate.ts'
import { OpenDeadLetters } from '../../producers/open-dead-letters.ts'
import type { Delta, Provenance } from '../../schemas/delta.ts'
import { UnencodableValue } from '../../schemas/errors.ts'
import type { Version } from '../../schemas/version.ts'

const TOPIC = 'acme.erp.capture-dead-letter'

function provenance(position: bigint): Provenance {
  return {
    system: 'postgres',
    instance: 'erp',
    object: 'public.customers',
    position: `0/${position}`,
    transaction: null,
    committedAt: position * 1_000_000n,
    capturedAt: position,
  }
}

const version = (position: bigint, ordinal = 0): Version => ({ epoch: 1n, position, ordinal })

function head(key: string, position: bigint, ordinal = 0) {
  return { entity: 'customer', key, version: version(position, ordinal), source: provenance(position) }
}

/** `good` decides whether the encoder takes it. */
function change(key: string, position: bigint, good = true, wasRead?: true): HydratedEvent {
  const delta: Delta = {
    ...head(key, position),
    op: 'update',
    changed: null,
    after: { good },
    origin: null,
    claims: {},
  }
  return { kind: 'change', change: delta, missing: [], ...(wasRead && { wasRead }) }
}

const snapshotRow = (key: string, position: bigint): HydratedEvent => ({
  kind: 'change',
  change: {
    ...head(key, position, -1),
    op: 'snapshot',
    changed: null,
    after: { good: true },
    origin: null,
    claims: {},
  },
  missing: [],
})
const removal = (key: string, position: bigint): HydratedEvent => ({
  kind: 'change',
  change: { ...head(key, position), op: 'delete', origin: null },
  missing: [],
})
const gone = (key: string, position: bigint): HydratedEvent => ({ kind: 'gone', ...head(key, position) })
const bad = (key: string, position: bigint): HydratedEvent => ({
  kind: 'unencodable',
  ...head(key, position),
  field: 'credit',
  reason: 'it is not a finite number',
})

/** A Kafka that keeps everything, and a capture process that can be started again over it. */
function world(keysMax?: number) {
  const log: OutgoingRecord[] = []
  const start = () => {
    const deadLetters = new OpenDeadLetters(keysMax)
    for (const { topic, key, value, headers } of log)
      if (topic === TOPIC) deadLetters.restore({ key: Buffer.from(key), value, headers })
    const encode = createEncode({
      prefix: 'acme',
      source: 'erp',
      encoders: new Map([
        [
          'customer',
          ({ after }) => {
            if (!after.good) throw new UnencodableValue('credit', 'is too large', 'customer.credit is too large')
            return Buffer.from('x')
          },
        ],
      ]),
      deadLetters,
      onUnencodable: () => {},
    })
    const run = (...events: readonly HydratedEvent[]) => {
      const items = events.flatMap(encode).flatMap((item) => (item.kind === 'record' ? [item.record] : []))
      log.push(...items)
      return items.map(({ topic, key, value }) => `${topic === TOPIC ? 'letter ' : ''}${key}${value ? '' : ' gone'}`)
    }
    return { run, deadLetters }
  }
  const open = () => {
    const last = new Map(log.filter(({ topic }) => topic === TOPIC).map(({ key, value }) => [key, value]))
    return [...last].flatMap(([key, value]) => (value ? [key] : []))
  }
  const letter = (key: string) => {
    const records = log.filter((record) => record.topic === TOPIC && record.key === key)
    return JSON.parse(records.at(-1)!.value!.toString())
  }
  return { start, open, letter, log }
}

test('the next good change of a key removes its dead letter, behind the change itself', () => {
  const { start, open } = world()
  const { run } = start()
  expect(run(bad('1', 1n), change('2', 1n))).toEqual(['letter customer/1', '2'])
  expect(run(change('2', 2n))).toEqual(['2'])
  expect(run(change('1', 2n))).toEqual(['1', 'letter customer/1 gone'])
  expect(run(change('1', 3n))).toEqual(['1'])
  expect(open()).toEqual([])
})

test.each([
  ['a delete', removal('1', 5n)],
  ['a snapshot row', snapshotRow('1', 5n)],
  ['a row that a replay found gone', gone('1', 5n)],
])('%s removes it too', (_what, event) => {
  const { start, open } = world()
  const { run } = start()
  run(bad('1', 1n))
  run(event)
  expect(open()).toEqual([])
})

test('a row that is gone and has no dead letter is nothing', () => {
  expect(world().start().run(gone('1', 5n))).toEqual([])
})

test('what the encoder refuses is a dead letter with its field, and the next good change removes it', () => {
  const { start, open, letter } = world()
  const { run } = start()
  expect(run(change('1', 1n, false))).toEqual(['letter customer/1'])
  expect(letter('customer/1')).toMatchObject({ field: 'credit', reason: 'is too large', version: '1/1/0' })
  run(change('1', 2n))
  expect(open()).toEqual([])
})

test('a newer dead letter replaces an older one and keeps since when; an older one is not written', () => {
  const { start, letter } = world()
  const { run } = start()
  run(bad('1', 1n), bad('1', 2n))
  expect(letter('customer/1')).toMatchObject({ version: '1/2/0', since: '1000000', source: { committedAt: '2000000' } })
  expect(run(bad('1', 1n))).toEqual([])
})

test('an older good change does not remove a newer dead letter', () => {
  const { start, open } = world()
  const { run } = start()
  run(bad('1', 2n))
  expect(run(change('1', 1n))).toEqual(['1'])
  expect(open()).toEqual(['customer/1'])
})

test('started again, a good change removes the dead letter that an earlier attempt wrote, of an equal version too', () => {
  const { start, open } = world()
  start().run(bad('1', 1n), bad('2', 2n))
  expect(start().run(change('1', 3n), change('2', 2n))).toEqual([
    '1',
    'letter customer/1 gone',
    '2',
    'letter customer/2 gone',
  ])
  expect(open()).toEqual([])
})

test('a stream that is read again does not bring back what was cleared, even if what cleared it does not come again', () => {
  const { start, open } = world()
  // A snapshot at position 9 held the corrected row, and was stored as done; the stream then begins again below it.
  start().run(bad('1', 1n), snapshotRow('1', 9n))
  const { run } = start()
  expect(run(bad('1', 1n))).toEqual([])
  expect(open()).toEqual([])
  expect(run(bad('1', 10n))).toEqual(['letter customer/1'])
})

test('a stream that is read again ends with the key cleared, at every place where it may have broken off', () => {
  const events = [bad('1', 1n), change('2', 1n), bad('1', 2n), change('1', 3n), bad('2', 4n), removal('2', 5n)]
  for (let broken = 0; broken <= events.length; broken++)
    for (let from = 0; from <= broken; from++) {
      const { start, open } = world()
      start().run(...events.slice(0, broken))
      start().run(...events.slice(from))
      expect(open(), `broken after ${broken}, again from ${from}`).toEqual([])
    }
})

test('an entry that cannot be read is removed by any change of its key', () => {
  const { start, open, log } = world()
  log.push({ topic: TOPIC, key: 'customer/1', value: Buffer.from('{"version":'), headers: {} })
  start().run(change('1', 1n))
  expect(open()).toEqual([])
})

test('beyond the bound, dead letters are written and counted; only what was read for it removes them', () => {
  const { start, open } = world(2)
  const { run, deadLetters } = start()
  run(bad('1', 1n), bad('2', 1n), bad('3', 1n))
  expect(deadLetters.untracked).toBe(1)
  run(change('3', 2n))
  expect(open()).toEqual(['customer/1', 'customer/2', 'customer/3'])
  run(change('3', 3n, true, true))
  expect(open()).toEqual(['customer/1', 'customer/2'])
  expect(start().deadLetters.counts()).toEqual([{ entity: 'customer', open: 2, oldestSince: 1_000_000n }])
})

test('one row that fails a hundred thousand times takes the room of one', () => {
  const { start } = world()
  const { run, deadLetters } = start()
  for (let position = 1n; position <= 100_000n; position++) run(bad('hot', position))
  expect(deadLetters.counts()).toEqual([{ entity: 'customer', open: 1, oldestSince: 1_000_000n }])
  expect(deadLetters.untracked).toBe(0)
})

test('keys of any length are told apart', () => {
  const { start, open } = world()
  const { run } = start()
  const long = 'k'.repeat(4_000)
  run(bad(`${long}a`, 1n), bad(`${long}b`, 1n))
  run(change(`${long}a`, 2n))
  expect(open()).toEqual([`customer/${long}b`])
})

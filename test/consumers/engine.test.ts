import { describe, expect, test } from 'vitest'
import { BatchRefused, type Outcome, type Patch, type Upsert } from '../../connectors/destination.ts'
import { RECORDS_MAX } from '../../consumers/engine.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { fenceHeaders, fenceKey } from '../../schemas/fence.ts'
import { deleteOf, recordOf, upsertOf } from './fixtures.ts'
import { APPLIED, startEngine, UNKNOWN } from './own-engine.ts'

const WHOLE = { a: '1', b: '1', c: '1' }
const first = (patches: readonly Patch[] | undefined) => patches![0] as Upsert

/** Answers each request of one patch in turn, and everything after as applied. */
function inTurn(...outcomes: readonly Outcome[]) {
  return (patches: readonly Patch[], request: number) => patches.map(() => outcomes[request - 1] ?? APPLIED)
}

test('a fence of the source is passed over', () => {
  const { sent, letters, engine } = startEngine()
  const fence = { ...recordOf(deleteOf('x', 1), 0), key: Buffer.from(fenceKey(0)), headers: fenceHeaders('erp') }
  engine.ingest([fence], 1n)
  expect(engine.committable()[0]?.next).toBe(1n)
  expect([sent.length, letters.length]).toEqual([0, 0])
})

describe('an outcome', () => {
  test('unknown repeats the record in full until it is known, and the next one is a difference again', async () => {
    const { ingest, sent, until, ...rest } = startEngine({ answer: inTurn(APPLIED, UNKNOWN, UNKNOWN) })
    ingest(upsertOf('x', 1, WHOLE))
    await until(() => sent.length === 1, 'the first is sent')
    ingest(upsertOf('x', 2, { ...WHOLE, a: '2' }))
    await until(() => sent.length === 4, 'it is repeated')
    ingest(upsertOf('x', 3, { ...WHOLE, a: '2', b: '2' }))
    await until(() => sent.length === 5, 'the next is sent')
    expect(sent.map((patches) => [first(patches).full, Object.keys(first(patches).fields).length])).toEqual([
      [true, 3],
      [false, 1],
      [true, 3],
      [true, 3],
      [false, 1],
    ])
    await until(() => rest.engine.committable()[0]?.next === 3n, 'all is finished')
  })

  test('absent brings the whole object', async () => {
    const { ingest, sent, until } = startEngine({ answer: inTurn(APPLIED, { kind: 'absent' }) })
    ingest(upsertOf('x', 1, WHOLE))
    await until(() => sent.length === 1, 'it is sent')
    ingest(upsertOf('x', 2, { ...WHOLE, a: '2' }))
    await until(() => sent.length === 3, 'the full patch follows')
    expect(sent.slice(1).map((patches) => first(patches).full)).toEqual([false, true])
    expect(first(sent[2]).fields).toEqual({ to_a: '2', to_b: '1', to_c: '1' })
  })

  test('newer finishes the record and distrusts the ledger', async () => {
    const engine = startEngine({ answer: inTurn(APPLIED, { kind: 'newer' }) })
    const { ingest, sent, until } = engine
    ingest(upsertOf('x', 1, WHOLE))
    await until(() => sent.length === 1, 'it is sent')
    ingest(upsertOf('x', 2, { ...WHOLE, a: '2' }))
    await until(() => engine.committable === 2, 'it is finished')
    ingest(upsertOf('x', 3, { ...WHOLE, a: '3' }))
    await until(() => sent.length === 3, 'the next is sent')
    expect(first(sent[2]).full).toBe(true)
  })

  test('rejected is tried again while its dead letter cannot be written', async () => {
    const rejected: Outcome = { kind: 'rejected', code: '23514', reason: 'a check failed' }
    const engine = startEngine({ answer: inTurn(rejected) })
    const { ingest, letters, until } = engine
    engine.away.deadLetters = true
    ingest(upsertOf('x', 1, WHOLE))
    await until(() => engine.sent.length >= 1, 'it is sent')
    expect(engine.committable).toBeNull()
    engine.away.deadLetters = false
    await until(() => engine.committable === 1, 'it is finished')
    // The record was tried again with the dead-letter topic away, and then applied: it leaves no letter.
    expect(letters.filter(({ value }) => value !== null)).toEqual([])
  })

  test('rejected is written to the dead-letter topic before its offset may be passed', async () => {
    const rejected: Outcome = { kind: 'rejected', code: '23514', reason: 'a check failed' }
    const engine = startEngine({
      answer: (patches) => patches.map(() => (engine.sent.length < 2 ? rejected : APPLIED)),
    })
    const { ingest, letters, until } = engine
    ingest(upsertOf('x', 1, WHOLE))
    await until(() => engine.committable === 1, 'it is finished')
    expect(letters).toMatchObject([{ topic: 'shop.warehouse.dead-letter', key: 'customer/x' }])
    expect(letters[0]!.headers).toMatchObject({ 'tributary.code': '23514', '__connect.errors.offset': '0' })
    ingest(upsertOf('x', 2, WHOLE))
    await until(() => engine.committable === 2, 'the next is finished')
    expect(letters[1]).toMatchObject({ key: 'customer/x', value: null })
  })

  test('a refused batch costs the others nothing', async () => {
    const engine = startEngine({
      answer(patches) {
        if (patches.some(({ key }) => key === 'bad')) throw new BatchRefused('22001', 'too long')
        return patches.map(() => APPLIED)
      },
    })
    engine.ingest(...['a', 'b', 'bad', 'c', 'd'].map((key) => upsertOf(key, 1, WHOLE)))
    await engine.until(() => engine.committable === 5, 'all are finished')
    expect(engine.letters.map(({ key }) => key)).toEqual(['customer/bad'])
  })

  test('an outage thrown against the contract counts as unknown, a defect ends delivery', async () => {
    const engine = startEngine({
      answer(patches, request) {
        if (request === 2) throw new TributaryError('destination-unreachable', 'away')
        if (request === 4) throw new TypeError('a defect')
        return patches.map(() => APPLIED)
      },
    })
    const { ingest, sent, until } = engine
    ingest(upsertOf('x', 1, WHOLE))
    await until(() => engine.committable === 1, 'it is finished')
    ingest(upsertOf('x', 2, { ...WHOLE, a: '2' }))
    await until(() => engine.committable === 2, 'it is finished')
    expect(sent.map((patches) => first(patches).full)).toEqual([true, false, true])
    ingest(upsertOf('x', 3, { ...WHOLE, a: '3' }))
    await until(() => engine.failures.length === 1, 'it fails')
    expect(engine.failures[0]).toBeInstanceOf(TypeError)
    expect(engine.committable).toBe(2)
  })
})

describe('what is away', () => {
  test.each(['ledger', 'registry'] as const)(
    'the %s: nothing is sent and nothing finished until it is back',
    async (what) => {
      const engine = startEngine()
      engine.away[what] = true
      engine.ingest(upsertOf('x', 1, WHOLE), upsertOf('y', 1, WHOLE))
      const from = performance.now()
      await engine.until(() => performance.now() - from > 300, 'it was tried more than once')
      expect(engine.sent).toEqual([])
      expect(engine.committable).toBeNull()
      engine.away[what] = false
      // The ledger's connection is a new one, so the scope is claimed again, which takes a heartbeat.
      await engine.until(() => {
        engine.membership.confirmed()
        return engine.committable === 2
      }, 'all are finished')
      expect(
        engine.sent
          .flat()
          .map(({ key }) => key)
          .sort(),
      ).toEqual(['x', 'y'])
    },
  )

  test('the ledger, after the destination has answered: the record is sent again in full', async () => {
    const engine = startEngine({
      answer(patches, request) {
        if (request === 2) engine.away.ledger = true
        return patches.map(() => APPLIED)
      },
    })
    engine.ingest(upsertOf('x', 1, WHOLE))
    await engine.until(() => engine.committable === 1, 'it is finished')
    engine.ingest(upsertOf('x', 2, { ...WHOLE, a: '2' }))
    await engine.until(() => engine.sent.length === 2, 'it is sent')
    engine.away.ledger = false
    await engine.until(() => {
      engine.membership.confirmed()
      return engine.committable === 2
    }, 'it is finished')
    expect(first(engine.sent[2]).full).toBe(true)
  })
})

describe('ownership', () => {
  test('an owner that was replaced in the ledger sends nothing before a fresh heartbeat, then goes on in full', async () => {
    const engine = startEngine()
    engine.ingest(upsertOf('x', 1, WHOLE))
    await engine.until(() => engine.committable === 1, 'it is finished')
    engine.takeOver()
    engine.ingest(upsertOf('x', 2, { ...WHOLE, a: '2' }))
    const from = performance.now()
    await engine.until(() => performance.now() - from > 200, 'it had the time')
    expect(engine.sent).toHaveLength(1)
    engine.membership.confirmed()
    await engine.until(() => engine.committable === 2, 'it is finished')
  })

  test('an owner that is replaced while its request is under way finishes nothing', async () => {
    const held = Promise.withResolvers<void>()
    const engine = startEngine({
      async answer(patches) {
        await held.promise
        return patches.map(() => APPLIED)
      },
    })
    engine.ingest(upsertOf('x', 1, WHOLE))
    await engine.until(() => engine.sent.length === 1, 'it is sent')
    engine.takeOver()
    held.resolve()
    const from = performance.now()
    await engine.until(() => performance.now() - from > 200, 'it had the time')
    expect(engine.committable).toBeNull()
  })

  test('partitions taken away in the midst: nothing more is sent for them, and a new assignment begins anew', async () => {
    const held = Promise.withResolvers<void>()
    const engine = startEngine({
      concurrency: 1,
      batchMax: 1,
      async answer(patches, request) {
        if (request === 1) await held.promise
        return patches.map(() => APPLIED)
      },
    })
    engine.ingest(upsertOf('x', 1, WHOLE), upsertOf('y', 2, WHOLE))
    await engine.until(() => engine.sent.length === 1, 'it is sent')
    const [former] = engine.engine.assignments
    engine.engine.revoked()
    held.resolve()
    await engine.until(() => engine.away.underWay === 0, 'it was answered')
    expect(engine.committable).toBeNull()
    engine.assign()
    const [present] = engine.engine.assignments
    expect(present).not.toBe(former)
    engine.ingest(upsertOf('z', 3, WHOLE))
    await engine.until(() => engine.sent.length === 2, 'the new one goes on')
    expect(engine.sent.flat().map(({ key }) => key)).toEqual(['x', 'z'])
  })

  test('a record of unknown result is not tried again for partitions that were taken away, and holds up nothing', async () => {
    const held = Promise.withResolvers<void>()
    const engine = startEngine({
      concurrency: 1,
      async answer(patches, request) {
        if (request === 1) await held.promise
        return patches.map(() => (request === 1 ? UNKNOWN : APPLIED))
      },
    })
    engine.ingest(upsertOf('x', 1, WHOLE))
    await engine.until(() => engine.sent.length === 1, 'it is sent')
    const [former] = engine.engine.assignments
    // Without a word of revocation in between, as when a rejoin was not noticed.
    engine.assign()
    expect(former!.active).toBe(false)
    held.resolve()
    engine.ingest(upsertOf('y', 2, WHOLE))
    await engine.until(() => engine.committable === 2, 'the new assignment goes on')
    expect(engine.sent.flat().map(({ key }) => key)).toEqual(['x', 'y'])
  })

  test('a refused batch is not split by an owner that lost its partitions', async () => {
    const engine = startEngine({
      answer() {
        engine.engine.revoked()
        throw new BatchRefused('22001', 'too long')
      },
    })
    engine.ingest(upsertOf('x', 1, WHOLE), upsertOf('y', 2, WHOLE))
    await engine.until(() => engine.sent.length === 1 && engine.away.underWay === 0, 'it was answered')
    await engine.engine.drain(5_000)
    expect(engine.sent).toHaveLength(1)
    expect(engine.letters).toEqual([])
  })
})

describe('a key that is uncertain', () => {
  test('is held where versions are not compared, and sent again in full when nothing lost can land', async () => {
    const engine = startEngine({ compares: false, lateRequestMs: 300, answer: inTurn(UNKNOWN) })
    // The ledger began just now, so that a key it has not seen is uncertain too.
    engine.ingest(upsertOf('x', 1, WHOLE))
    await engine.until(() => engine.sent.length === 2, 'it is repeated')
    expect(engine.committable).toBeNull()
    await engine.until(() => engine.committable === 1, 'it is finished')
    expect(engine.sent.length).toBeGreaterThanOrEqual(3)
    expect(engine.sent.every((patches) => first(patches).full)).toBe(true)
  })

  test('is finished with one full patch where versions are compared', async () => {
    const engine = startEngine({ compares: true, lateRequestMs: 600_000 })
    engine.ingest(upsertOf('x', 1, WHOLE), deleteOf('x', 2))
    await engine.until(() => engine.committable === 2, 'both are finished')
    expect(engine.sent.map((patches) => first(patches).kind)).toEqual(['upsert', 'delete'])
  })
})

describe('bounds', () => {
  test('a batch holds at most so many patches, each key once, and so many are under way', async () => {
    const engine = startEngine({
      batchMax: 7,
      concurrency: 3,
      answer: async (patches) => {
        await new Promise((resolve) => setImmediate(resolve))
        return patches.map(() => APPLIED)
      },
    })
    const changes = Array.from({ length: 200 }, (_, index) =>
      index % 9 === 8 ? deleteOf(`k${index % 40}`, index + 1) : upsertOf(`k${index % 40}`, index + 1, WHOLE),
    )
    engine.ingest(...changes)
    await engine.until(() => engine.committable === 200, 'all are finished')
    expect(engine.away.mostUnderWay).toBe(3)
    for (const patches of engine.sent) {
      expect(patches.length).toBeLessThanOrEqual(7)
      expect(new Set(patches.map(({ key }) => key)).size).toBe(patches.length)
    }
  })

  test('there is no room beyond so many unfinished records, and room again when they are finished', async () => {
    const held = Promise.withResolvers<void>()
    const engine = startEngine({
      async answer(patches) {
        await held.promise
        return patches.map(() => APPLIED)
      },
    })
    const record = recordOf(upsertOf('x', 1, WHOLE), 0)
    const records = Array.from({ length: RECORDS_MAX }, (_, index) => ({ ...record, offset: BigInt(index) }))
    expect(engine.engine.hasRoom).toBe(true)
    engine.engine.ingest(records, BigInt(RECORDS_MAX))
    expect(engine.engine.hasRoom).toBe(false)
    held.resolve()
    await engine.until(() => engine.engine.hasRoom, 'there is room again')
  })

  test('draining ends what is under way and starts nothing new', async () => {
    const held = Promise.withResolvers<void>()
    const engine = startEngine({
      concurrency: 1,
      batchMax: 1,
      async answer(patches) {
        await held.promise
        return patches.map(() => APPLIED)
      },
    })
    engine.ingest(upsertOf('x', 1, WHOLE), upsertOf('y', 2, WHOLE))
    await engine.until(() => engine.sent.length === 1, 'it is sent')
    const drained = engine.engine.drain(10_000)
    held.resolve()
    await drained
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    engine.ingest(upsertOf('z', 3, WHOLE))
    expect(engine.sent).toHaveLength(1)
    expect(engine.committable).toBe(1)
  })

  test('one that was stopped asks nobody anything more', async () => {
    const engine = startEngine()
    engine.membership.confirmed()
    engine.stop.abort()
    engine.ingest(upsertOf('x', 1, WHOLE))
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect([engine.away.gated, engine.sent.length]).toEqual([0, 0])
  })

  test('draining gives up what does not end in time', async () => {
    const engine = startEngine({ answer: () => new Promise(() => {}) })
    engine.ingest(upsertOf('x', 1, WHOLE))
    await engine.until(() => engine.sent.length === 1, 'it is sent')
    await engine.engine.drain(50)
    expect(engine.committable).toBeNull()
  })
})

describe('a record that cannot be read', () => {
  test('without a key or version becomes a dead letter of its own, and its offset waits for that', async () => {
    const engine = startEngine()
    engine.away.deadLetters = true
    const good = recordOf(upsertOf('x', 1, WHOLE), 2)
    engine.engine.ingest(
      [{ ...good, offset: 0n, key: null }, { ...good, offset: 1n, value: Buffer.from('not a delta') }, good],
      3n,
    )
    await engine.until(() => engine.sent.length === 1, 'the good one is sent')
    expect(engine.committable).toBeNull()
    engine.away.deadLetters = false
    await engine.until(() => engine.committable === 3, 'all are finished')
    expect(engine.letters.map(({ key }) => key).sort()).toEqual(['customer/@0-0', 'customer/@0-1'])
    expect(engine.letters.map(({ headers }) => headers['tributary.code'])).toEqual(['record-corrupt', 'record-corrupt'])
  })

  test('beyond its version becomes the dead letter of its key, and blocks nothing', async () => {
    const engine = startEngine()
    const good = recordOf(upsertOf('x', 1, WHOLE), 0)
    const value = good.value!.subarray(0, good.value!.length - 3)
    engine.engine.ingest([{ ...good, value }, recordOf(upsertOf('y', 2, WHOLE), 1)], 2n)
    await engine.until(() => engine.committable === 2, 'both are finished')
    expect(engine.letters).toMatchObject([
      { key: 'customer/x', headers: { '__connect.errors.stage': 'VALUE_CONVERTER' } },
    ])
    expect(engine.letters[0]!.value!.equals(value)).toBe(true)
    expect(engine.sent.flat().map(({ key }) => key)).toEqual(['y'])
  })
})

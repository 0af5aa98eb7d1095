import { describe, expect, test } from 'vitest'
import type { EntityMapping } from '../../../connectors/destination.ts'
import { packVersion } from '../../../consumers/ledger/entry.ts'
import { sweepPartition } from '../../../consumers/sweep/sweep-partition.ts'
import { formatVersion } from '../../../schemas/version.ts'
import { deleteOf, upsertOf } from '../fixtures.ts'
import { startSweep } from './own-sweep.ts'

const WHOLE = { a: '1', b: '1', c: '1' }
const NOT_ABORTED = new AbortController().signal
const nothing = { keys: undefined }
const listing = (...keys: string[]) => ({
  async *keys(_mapping: EntityMapping) {
    yield keys
  },
})
type Started = Awaited<ReturnType<typeof startSweep>>

function sweep(
  { parts, assignment }: Started,
  by: 'ledger' | 'destination' = 'ledger',
  { destination = nothing, ...bounds }: { destination?: object; keysAtOnce?: number; suspectsMax?: number } = {},
) {
  return sweepPartition({ ...parts, destination, ...bounds }, assignment, by, () => {}, NOT_ABORTED)
}

test('keys are deleted that the topic has not, or ends with a delete, and no other', async () => {
  const started = await startSweep(
    ['stays', 'vanished', 'ended', 'changed'].map((key, at) => upsertOf(key, at + 1, WHOLE)),
    [upsertOf('stays', 1, WHOLE), deleteOf('ended', 8), upsertOf('changed', 9, WHOLE), upsertOf('new', 10, WHOLE)],
  )
  expect(await sweep(started)).toEqual({ keys: 4, deleted: 2, givenUp: 0, isComplete: true })
  const versions = started.sent.flat().map(({ key, kind, version }) => [key, kind, formatVersion(version)])
  expect(versions.sort()).toEqual([
    ['ended', 'delete', '1/8/0'],
    ['vanished', 'delete', '1/2/1'],
  ])
})

test('a dead letter that is newer than what was applied does not bring the key back: the delete is newer still', async () => {
  const started = await startSweep([upsertOf('x', 1, WHOLE), upsertOf('y', 2, WHOLE)], [upsertOf('y', 2, WHOLE)])
  const { model, until } = started
  // Version 9 of it could not be applied, and waits.
  const name = [...model.store.keys()].find((key) => key.endsWith(':key:x'))!
  const text = model.store.get(name)!
  model.store.set(name, `${text.slice(0, 79)}1${text.slice(80)}`)
  model.store.set(name.replace(':key:', ':failing:'), packVersion(upsertOf('x', 9, WHOLE).version) + '0'.repeat(16))
  expect(await sweep(started)).toMatchObject({ deleted: 1, isComplete: true })
  expect(started.sent.flat().map(({ key, version }) => [key, formatVersion(version)])).toEqual([['x', '1/9/1']])
  await until(() => model.store.get(name.replace(':key:', ':failing:')) === undefined, 'the letter is over')
})

test('all are found and none is wrongly deleted, however small the slices and the suspects are', async () => {
  const all = Array.from({ length: 60 }, (_, at) => upsertOf(`k${at}`, at + 1, WHOLE))
  const started = await startSweep(
    all,
    all.filter((_, at) => at % 3 > 0),
  )
  const result = await sweep(started, 'ledger', { keysAtOnce: 5, suspectsMax: 4 })
  expect(result).toEqual({ keys: 60, deleted: 20, givenUp: 0, isComplete: true })
  expect(started.deletes()).toEqual(
    all
      .filter((_, at) => at % 3 === 0)
      .map(({ key }) => key)
      .sort(),
  )
})

describe('a key that is made anew is not deleted', () => {
  const old = upsertOf('x', 2, WHOLE)
  const anew = upsertOf('x', 7, { ...WHOLE, a: '7' })
  const other = upsertOf('y', 5, WHOLE)

  test('when it comes and is applied while the topic is read', async () => {
    const started = await startSweep([other], [other])
    // The ledger then has a key that the topic did not have when it was read.
    started.own.onBatch = async (reading) => {
      if (reading !== 1 || started.own.records.length > 1) return
      started.own.append(anew)
      started.ingest(anew)
      await started.until(() => started.engine.committable()[0]?.next === 2n, 'it is applied')
    }
    expect(await sweep(started)).toMatchObject({ keys: 2, deleted: 0, isComplete: true })
    expect(started.deletes()).toEqual(['x'])
    expect(started.sent.flat()[0]).toMatchObject({ kind: 'upsert' })
  })

  test('when it comes while the topic is read and is not applied yet', async () => {
    const started = await startSweep([old, other], [other])
    started.own.onBatch = (reading) => {
      if (reading === 1 && started.own.records.length === 1) started.own.append(anew)
    }
    expect(await sweep(started)).toMatchObject({ deleted: 0, isComplete: true })
    started.ingest(anew)
    await started.until(() => started.engine.committable()[0]?.next === 3n, 'it is applied')
    expect(started.sent.flat()).toMatchObject([{ kind: 'upsert', key: 'x', fields: { to_a: '7' } }])
  })

  test('when it is applied before the delete: the delete is stale', async () => {
    const started = await startSweep([old, other], [other])
    started.own.onBatch = async (reading) => {
      if (reading !== 2) return
      started.ingest(anew)
      await started.until(() => started.engine.committable()[0]?.next === 3n, 'it is applied')
    }
    expect(await sweep(started)).toMatchObject({ deleted: 0, isComplete: true })
    expect(started.sent.flat().map(({ kind }) => kind)).toEqual(['upsert'])
  })

  test('when it comes after the delete: it is sent whole', async () => {
    const started = await startSweep([old, other], [other])
    expect(await sweep(started)).toMatchObject({ deleted: 1 })
    started.ingest(anew)
    await started.until(() => started.engine.committable()[0]?.next === 3n, 'it is applied')
    expect(started.sent.flat()).toMatchObject([{ kind: 'delete' }, { kind: 'upsert', full: true, key: 'x' }])
  })
})

test('without a ledger the destination says what it has; keys of other partitions are left alone', async () => {
  const started = await startSweep([], [upsertOf('stays', 5, WHOLE), deleteOf('ended', 6), upsertOf('last', 9, WHOLE)])
  const destination = listing('stays', 'ended', 'vanished')
  expect(await sweep(started, 'destination', { destination })).toMatchObject({ keys: 3, deleted: 2 })
  const versions = started.sent.flat().map(({ key, version }) => [key, formatVersion(version)])
  expect(versions.sort()).toEqual([
    ['ended', '1/6/0'],
    ['vanished', '1/9/0'],
  ])
  const { parts, assignment } = await startSweep([], [upsertOf('stays', 5, WHOLE)])
  const many = listing(...Array.from({ length: 100 }, (_, at) => `k${at}`))
  const one = await sweepPartition(
    { ...parts, destination: many, partitions: 4 },
    assignment,
    'destination',
    () => {},
    NOT_ABORTED,
  )
  expect(one.keys).toBeGreaterThan(5)
  expect(one.keys).toBeLessThan(50)
})

test('nothing is deleted where the topic has no record at all, or the partition is taken away', async () => {
  const empty = await startSweep([upsertOf('x', 1, WHOLE)], [])
  expect(await sweep(empty)).toMatchObject({ deleted: 0, isComplete: false })
  const revoked = await startSweep([upsertOf('x', 1, WHOLE)], [upsertOf('y', 2, WHOLE)])
  revoked.own.onBatch = () => revoked.engine.revoked()
  expect(await sweep(revoked)).toMatchObject({ deleted: 0, isComplete: false })
  expect([...empty.deletes(), ...revoked.deletes()]).toEqual([])
})

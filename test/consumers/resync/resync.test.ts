import { expect, test } from 'vitest'
import type { Patch, Upsert } from '../../../connectors/destination.ts'
import { resyncPartition } from '../../../consumers/resync/resync.ts'
import type { Change } from '../../../schemas/delta.ts'
import { deleteOf, upsertOf } from '../fixtures.ts'
import { APPLIED, type EngineChoice, startEngine } from '../own-engine.ts'
import { ownHistory } from '../own-history.ts'

const WHOLE = { a: '1', b: '1', c: '1' }
const NOT_ABORTED = new AbortController().signal

/** An engine that has applied all of a partition's records, and a resync of it. */
async function synced(changes: readonly Change[], choice: EngineChoice = {}) {
  const started = startEngine(choice)
  const { own, history } = ownHistory(...changes)
  started.ingest(...changes)
  await started.until(() => started.committable === changes.length, 'all is applied')
  started.sent.length = 0
  const progress: (readonly [number, number])[] = []
  const resync = (key: string | null = null, keysAtOnce = 100) =>
    resyncPartition(
      { engine: started.engine, history, keysAtOnce },
      [...started.engine.assignments][0]!,
      key,
      (done, of) => progress.push([done, of]),
      NOT_ABORTED,
    )
  const sent = () => started.sent.flat()
  return { ...started, own, resync, progress, sent }
}

const shown = (patch: Patch) =>
  patch.kind === 'delete' ? `delete ${patch.key}` : `${patch.key} ${patch.full} ${Object.values(patch.fields).join('')}`

test('the newest record of every key is sent again in full, deletes too, and each key counts once', async () => {
  const { resync, sent, progress } = await synced([
    upsertOf('x', 1, WHOLE),
    upsertOf('y', 2, WHOLE),
    upsertOf('x', 3, { ...WHOLE, a: '2' }),
    upsertOf('z', 4, WHOLE),
    deleteOf('z', 5),
  ])
  expect(await resync()).toBe(3)
  expect(sent().map(shown).sort()).toEqual(['delete z', 'x true 211', 'y true 111'])
  expect(progress.at(-1)).toEqual([10, 10])
  expect(progress.every(([done, of]) => done >= 0 && done <= of)).toBe(true)
})

test('one key is sent alone, and an unknown one is none', async () => {
  const { resync, sent } = await synced([upsertOf('x', 1, WHOLE), upsertOf('y', 2, WHOLE)])
  expect(await resync('y')).toBe(1)
  expect(sent().map(shown)).toEqual(['y true 111'])
  expect(await resync('unknown')).toBe(0)
})

test('more keys than are looked at in one reading are all sent, once each', async () => {
  const keys = Array.from({ length: 40 }, (_, at) => `k${at}`)
  const { resync, sent, own } = await synced(keys.map((key, at) => upsertOf(key, at + 1, WHOLE)))
  expect(await resync(null, 7)).toBe(40)
  expect(
    sent()
      .map(({ key }) => key)
      .sort(),
  ).toEqual([...keys].sort())
  expect(own.readings).toBeGreaterThan(4)
})

test('a key that changes while the partition is read is sent in full as it is then', async () => {
  const newer = upsertOf('x', 3, { ...WHOLE, b: '3' })
  const { resync, sent, own, ingest, until, engine } = await synced([upsertOf('x', 1, WHOLE), upsertOf('y', 2, WHOLE)])
  own.onBatch = async (reading) => {
    if (reading !== 1 || own.records.length > 2) return
    own.append(newer)
    ingest(newer)
    await until(() => engine.committable()[0]?.next === 3n, 'the newer one is applied')
  }
  expect(await resync()).toBe(2)
  expect(
    sent()
      .filter(({ key }) => key === 'x')
      .map(shown),
  ).toEqual(['x false 3', 'x true 131'])
})

test('a partition that is taken away ends it at once', async () => {
  const keys = Array.from({ length: 30 }, (_, at) => `k${at}`)
  let isHeld = false
  const held = Promise.withResolvers<void>()
  const { resync, engine, sent } = await synced(
    keys.map((key, at) => upsertOf(key, at + 1, WHOLE)),
    {
      async answer(patches) {
        if (isHeld) {
          engine.revoked()
          await held.promise
        }
        return patches.map(() => APPLIED)
      },
    },
  )
  isHeld = true
  expect(await resync()).toBe(0)
  held.resolve()
  expect(sent().length).toBeLessThan(30)
})

test('what was changed behind our back comes back, and the next change is a difference again', async () => {
  const { resync, sent, ingest, until } = await synced([upsertOf('x', 1, WHOLE)])
  await resync()
  ingest(upsertOf('x', 2, { ...WHOLE, c: '2' }))
  await until(() => sent().length === 2, 'the change is sent')
  expect(sent().map((patch) => (patch as Upsert).full)).toEqual([true, false])
})

import { expect, test } from 'vitest'
import { packFailures, packVersion } from '../../../consumers/ledger/entry.ts'
import { versionAt } from '../fixtures.ts'
import { openLedger, own, SCOPE } from './own-ledger.ts'

/** What a sweep asks of the ledger. */
test('live keys are those that were applied and not deleted, of this scope alone, whatever their names hold', async () => {
  const ledger = await openLedger()
  const owner = await own(ledger)
  const neighbour = await own(ledger, { ...SCOPE, entity: 'customer*', partition: 3 })
  const keys = [
    'plain',
    'with * and [x]',
    'back\\slash',
    'ümläut',
    ...Array.from({ length: 1_500 }, (_, at) => `k${at}`),
  ]
  for (const [at, key] of keys.entries()) await owner.apply(key, versionAt(at + 1))
  await owner.apply('gone', versionAt(1), { state: 'deleted' })
  await neighbour.apply('theirs', versionAt(1))
  const found = async (scope = SCOPE) => {
    const versions = new Map<string, string>()
    for await (const batch of ledger.liveKeys(scope)) for (const { key, version } of batch) versions.set(key, version)
    return versions
  }
  expect(await found()).toEqual(new Map(keys.map((key, at) => [key, packVersion(versionAt(at + 1))])))
  expect([...(await found({ ...SCOPE, entity: 'customer*' })).keys()]).toEqual(['theirs'])
})

test('a key with a newer dead letter is there too, under the version of that: the letter could bring it back', async () => {
  const ledger = await openLedger()
  const owner = await own(ledger)
  await owner.apply('newer letter', versionAt(2))
  await owner.apply('no letter', versionAt(3))
  await owner.apply('deleted', versionAt(4), { state: 'deleted' })
  for (const [key, at] of [
    ['newer letter', 7],
    ['deleted', 8],
    ['never applied', 9],
  ] as const) {
    await owner.gate(key, versionAt(at))
    await owner.settle(key, versionAt(at), { result: 'dead' })
  }
  await owner.gate('fails', versionAt(5))
  await owner.settle('fails', versionAt(5), { result: 'failed', applied: packFailures(1, 1) })
  const found = new Map<string, string>()
  for await (const batch of ledger.liveKeys(SCOPE)) for (const { key, version } of batch) found.set(key, version)
  const wanted = { 'newer letter': 7, 'no letter': 3, deleted: 8, 'never applied': 9 }
  expect(found).toEqual(new Map(Object.entries(wanted).map(([key, at]) => [key, packVersion(versionAt(at))])))
})

test('only the owner notes that deletes were seen, and a note is never set back', async () => {
  const ledger = await openLedger()
  expect(await ledger.deletesSeen(SCOPE)).toMatchObject({ atMs: null })
  const former = await own(ledger)
  expect(await ledger.touch(SCOPE, former.token, 50_000)).toBe('ok')
  const { atMs, nowMs } = await ledger.deletesSeen(SCOPE)
  expect(nowMs - atMs!).toBeGreaterThanOrEqual(50_000)
  await own(ledger)
  expect(await ledger.touch(SCOPE, former.token, 0)).toBe('fenced')
  const owner = await own(ledger)
  expect(await ledger.touch(SCOPE, owner.token, 90_000)).toBe('ok')
  expect((await ledger.deletesSeen(SCOPE)).atMs).toBe(atMs)
})

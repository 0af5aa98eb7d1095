import { expect, test } from 'vitest'
import { packVersion } from '../../../consumers/ledger/entry.ts'
import { versionAt } from '../fixtures.ts'
import { keyOf, openLedger, own, PRINTS, redis, SCOPE } from './own-ledger.ts'

test('nothing is known of a key that was never applied', async () => {
  const ledger = await openLedger()
  expect(await ledger.peek(SCOPE, 'k')).toBeNull()
})

test('a peek sees what the gate would answer, and leaves the entry as it is', async () => {
  const ledger = await openLedger()
  const owner = await own(ledger)
  await owner.apply('k', versionAt(7), { applied: `${PRINTS}|W/"5"` })
  const before = await redis.get(keyOf('k'))
  const peeked = await ledger.peek(SCOPE, 'k')
  expect(await redis.get(keyOf('k'))).toBe(before)
  expect(peeked).toMatchObject({ version: packVersion(versionAt(7)), inFlight: false })
  expect(peeked!.entry.tag).toBe('W/"5"')
  expect(peeked!.entry).toEqual(await owner.gate('k', versionAt(8)))
})

test('a key in flight is uncertain to whoever looks at it', async () => {
  const ledger = await openLedger({ lateRequestMs: 60_000 })
  const owner = await own(ledger)
  await owner.gate('k', versionAt(7), true)
  const peeked = await ledger.peek(SCOPE, 'k')
  expect(peeked).toMatchObject({ inFlight: true, entry: { state: 'none', uncertain: true } })
  expect(peeked!.entry.uncertainForMs).toBeGreaterThan(0)
  await owner.settle('k', versionAt(7), { state: 'deleted', applied: '' })
  expect((await ledger.peek(SCOPE, 'k'))!.entry.state).toBe('deleted')
})

test('an entry of a former life of Redis is uncertain', async () => {
  const ledger = await openLedger()
  const owner = await own(ledger)
  await owner.apply('k', versionAt(7))
  const entry = (await redis.get(keyOf('k')))!
  await redis.set(keyOf('k'), `${entry.slice(0, 41)}${'0'.repeat(8)}${entry.slice(49)}`)
  expect((await ledger.peek(SCOPE, 'k'))!.entry).toMatchObject({ state: 'live', uncertain: true })
})

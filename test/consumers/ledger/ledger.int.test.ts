import { describe, expect, test } from 'vitest'
import { packFailures, packVersion, parseAnswer } from '../../../consumers/ledger/entry.ts'
import type { SettleRequest } from '../../../consumers/ledger/ledger.ts'
import type { Version } from '../../../schemas/version.ts'
import { eventually } from '../../support/flow.ts'
import { versionAt } from '../fixtures.ts'
import {
  FOREVER_MS,
  flush,
  KEEP_MS,
  keyOf,
  newToken,
  openLedger,
  own,
  ownerWith,
  PRINTS,
  redis,
  SCOPE,
} from './own-ledger.ts'

describe('versions', () => {
  const BIG = 2n ** 53n
  const MAX = 2n ** 63n - 1n
  const ascending: Version[] = [
    versionAt(0, -1),
    versionAt(0, 0),
    versionAt(1, -1),
    versionAt(1, 0),
    versionAt(1, 1),
    versionAt(1, 2 ** 31 - 1),
    versionAt(255, -1),
    versionAt(256, -1),
    versionAt(2n ** 40n - 1n, 7),
    versionAt(2n ** 40n, -1),
    versionAt(BIG - 1n),
    versionAt(BIG),
    versionAt(BIG + 1n),
    versionAt(MAX - 1n),
    versionAt(MAX),
    versionAt(0, -1, 2n),
    versionAt(0, -1, BIG),
    versionAt(0, -1, BIG + 1n),
    versionAt(MAX, 2 ** 31 - 1, MAX),
  ]

  test('an older or equal version is stale and a newer one goes on, up to the largest numbers there are', async () => {
    const ledger = await openLedger()
    const owner = await own(ledger)
    for (const [index, version] of ascending.entries()) {
      await owner.apply('k', version)
      expect(await owner.gate('k', version)).toBe('stale')
      for (const older of ascending.slice(0, index)) expect(await owner.gate('k', older)).toBe('stale')
    }
  })

  test('an older version never replaces a newer one', async () => {
    const ledger = await openLedger()
    const owner = await own(ledger)
    await owner.apply('k', versionAt(7))
    expect(await owner.settle('k', versionAt(6), { applied: 'x'.repeat(16) })).toBe('settled')
    expect(await owner.gate('k', versionAt(7))).toBe('stale')
    expect(await owner.gate('k', versionAt(8))).toMatchObject({ fingerprints: new Map([['abcde', 'fghijklmnop']]) })
  })
})

describe('the gate', () => {
  test('answers in order what it knows of each key', async () => {
    const ledger = await openLedger()
    const owner = await own(ledger)
    await owner.apply('live', versionAt(1))
    await owner.apply('deleted', versionAt(1), { state: 'deleted', applied: '' })
    const requests = ['live', 'new', 'deleted', 'live'].map((key, index) => ({
      key,
      version: packVersion(versionAt(index === 3 ? 1 : 2)),
      uncertain: false,
    }))
    const answers = (await ledger.gate(SCOPE, owner.token, requests)) as readonly string[]
    expect(answers.slice(0, 3).map((answer) => parseAnswer(answer).state)).toEqual(['live', 'none', 'deleted'])
    expect(answers[3]).toBe('e')
  })

  test('a key is certain while its own owner asks again, and uncertain when another one had it in flight', async () => {
    const ledger = await openLedger()
    const first = await own(ledger)
    await first.apply('k', versionAt(1))
    expect(await first.gate('k', versionAt(2))).toMatchObject({ uncertain: false })
    expect(await first.gate('k', versionAt(2))).toMatchObject({ uncertain: false })
    const second = await own(ledger)
    expect(await second.gate('k', versionAt(2))).toMatchObject({ state: 'live', uncertain: true })
  })

  test('a mark of a former owner is not lost on a record that is stale', async () => {
    const ledger = await openLedger()
    const first = await own(ledger)
    await first.apply('k', versionAt(1))
    await first.gate('k', versionAt(2))
    const second = await own(ledger)
    expect(await second.gate('k', versionAt(0))).toBe('stale')
    const third = await own(ledger)
    expect(await third.gate('k', versionAt(3))).toMatchObject({ uncertain: true })
  })

  test('an equal version of an uncertain key goes on, because it may not be whole there', async () => {
    const ledger = await openLedger({ lateRequestMs: FOREVER_MS, comparesVersions: false })
    const owner = await own(ledger)
    await owner.gate('k', versionAt(1), true)
    await owner.settle('k', versionAt(1))
    expect(await owner.gate('k', versionAt(1))).toMatchObject({ state: 'live', uncertain: true })
  })

  test('what the asker knows to be uncertain stays so for the next one', async () => {
    const ledger = await openLedger({ lateRequestMs: FOREVER_MS })
    const owner = await own(ledger)
    await owner.apply('k', versionAt(1))
    const told = await owner.gate('k', versionAt(2), true)
    expect(told).toMatchObject({ uncertain: true, uncertainForMs: FOREVER_MS })
    const again = (await owner.gate('k', versionAt(2))) as { uncertain: boolean; uncertainForMs: number }
    expect(again.uncertain).toBe(true)
    expect(again.uncertainForMs).toBeGreaterThan(FOREVER_MS - 60_000)
  })

  test('a key without an entry is uncertain while a request of before the ledger began could land', async () => {
    const young = await own(await openLedger({ lateRequestMs: FOREVER_MS }))
    expect(await young.gate('k', versionAt(1))).toMatchObject({ state: 'none', uncertain: true })
    const old = await own(await openLedger({ lateRequestMs: 0 }))
    expect(await old.gate('other', versionAt(1))).toMatchObject({ state: 'none', uncertain: false })
  })

  test('a flushed ledger is born again: its owner is unknown, and keys without an entry are uncertain', async () => {
    const ledger = await openLedger({ lateRequestMs: 500 })
    const owner = await own(ledger)
    const born = Date.now()
    await eventually(() => Date.now() > born + 1_000, 'the first birth is long ago')
    expect(await owner.gate('k', versionAt(1))).toMatchObject({ uncertain: false })
    await flush()
    expect(await owner.gate('k', versionAt(1))).toBe('fenced')
    const again = await own(ledger)
    expect(await again.gate('k', versionAt(1))).toMatchObject({ state: 'none', uncertain: true })
  })

  test('a scope that is claimed again is not born again', async () => {
    const ledger = await openLedger({ lateRequestMs: 500 })
    await own(ledger)
    const born = Date.now()
    await eventually(() => Date.now() > born + 1_000, 'the birth is long ago')
    const second = await own(ledger)
    expect(await second.gate('k', versionAt(1))).toMatchObject({ uncertain: false })
  })
})

describe('an owner', () => {
  test('that was replaced is refused by gate and settle, and nothing is written for it', async () => {
    const ledger = await openLedger()
    const first = await own(ledger)
    await first.apply('k', versionAt(1))
    await first.gate('k', versionAt(2))
    const second = await own(ledger)
    const before = await redis.get(keyOf('k'))
    expect(await first.gate('k', versionAt(3))).toBe('fenced')
    expect(await first.settle('k', versionAt(2))).toBe('fenced')
    expect(await redis.get(keyOf('k'))).toBe(before)
    expect(await second.gate('k', versionAt(2))).toMatchObject({ uncertain: true })
  })

  test('that never claimed is refused', async () => {
    const stranger = ownerWith(await openLedger(), newToken())
    expect(await stranger.gate('k', versionAt(1))).toBe('fenced')
    expect(await stranger.settle('k', versionAt(1))).toBe('fenced')
  })

  test('of another partition, entity or subscriber is not concerned', async () => {
    const ledger = await openLedger()
    const first = await own(ledger)
    await own(ledger, { ...SCOPE, partition: 4 })
    await own(ledger, { ...SCOPE, entity: 'order' })
    await own(ledger, { ...SCOPE, subscriber: 'crm' })
    expect(await first.gate('k', versionAt(1))).toMatchObject({ state: 'none' })
  })

  test('whose connection was given up is refused when its late command is carried out after all', async () => {
    const slow = await openLedger()
    const owner = await own(slow)
    await owner.apply('k', versionAt(1))
    await owner.gate('k', versionAt(2))
    // The process claims anew on its next connection; then the command of the former one arrives.
    const again = await own(await openLedger())
    expect(await owner.settle('k', versionAt(2))).toBe('fenced')
    expect(await again.gate('k', versionAt(2))).toMatchObject({ uncertain: true })
  })
})

describe('settle', () => {
  test('a full patch ends the doubt where versions are compared, unless a newer version may be on its way', async () => {
    const ledger = await openLedger({ lateRequestMs: FOREVER_MS })
    const first = await own(ledger)
    await first.gate('k', versionAt(5))
    const second = await own(ledger)
    expect(await second.gate('k', versionAt(3))).toMatchObject({ uncertain: true })
    await second.settle('k', versionAt(3))
    expect(await second.gate('k', versionAt(4))).toMatchObject({ uncertain: true })
    // Born just now: entries may have been lost, so nothing but time tells what is on its way.
    await second.settle('k', versionAt(6))
    expect(await second.gate('k', versionAt(7))).toMatchObject({ uncertain: true })
  })

  test('a full patch as new as what was let through ends the doubt where versions are compared', async () => {
    const ledger = await openLedger({ lateRequestMs: 0 })
    const late = await openLedger({ lateRequestMs: FOREVER_MS })
    const first = await own(ledger)
    await first.apply('k', versionAt(1))
    await first.gate('k', versionAt(5))
    const second = await own(late)
    await second.gate('k', versionAt(3))
    await second.settle('k', versionAt(3))
    expect(await second.gate('k', versionAt(5))).toMatchObject({ uncertain: true })
    await second.settle('k', versionAt(5))
    expect(await second.gate('k', versionAt(6))).toMatchObject({ uncertain: false })
  })

  test('where versions are not compared, a full patch ends the doubt only when nothing lost can land any more', async () => {
    const ledger = await openLedger({ comparesVersions: false, lateRequestMs: 0 })
    const late = await openLedger({ comparesVersions: false, lateRequestMs: FOREVER_MS })
    const owner = await own(ledger)
    await owner.apply('k', versionAt(1))
    const waiting = ownerWith(late, owner.token)
    await waiting.gate('k', versionAt(2), true)
    await waiting.settle('k', versionAt(2))
    expect(await waiting.gate('k', versionAt(2))).toMatchObject({ uncertain: true })
    const over = ownerWith(ledger, owner.token)
    await over.gate('k', versionAt(2), true)
    await over.settle('k', versionAt(2))
    expect(await over.gate('k', versionAt(2))).toBe('stale')
  })

  test('where versions are not compared, it is no matter when it is settled: something may have landed since it was sent', async () => {
    const ledger = await openLedger({ comparesVersions: false, lateRequestMs: 0 })
    const owner = await own(ledger)
    await owner.apply('k', versionAt(1))
    await owner.gate('k', versionAt(2), true)
    await owner.settle('k', versionAt(2), { alone: false })
    expect(await owner.gate('k', versionAt(2))).toMatchObject({ uncertain: true, uncertainForMs: 0 })
    await owner.settle('k', versionAt(2))
    expect(await owner.gate('k', versionAt(2))).toBe('stale')
  })

  test('where versions are compared, time does not end the doubt that a newer version leaves', async () => {
    const ledger = await openLedger({ lateRequestMs: 0 })
    const first = await own(ledger)
    await first.apply('k', versionAt(1))
    await first.gate('k', versionAt(5))
    const second = await own(ledger)
    await second.gate('k', versionAt(3))
    await second.settle('k', versionAt(3))
    expect(await second.gate('k', versionAt(5))).toMatchObject({ uncertain: true, uncertainForMs: 0 })
    await second.settle('k', versionAt(5))
    expect(await second.gate('k', versionAt(6))).toMatchObject({ uncertain: false })
  })

  test('a patch that was not full leaves the doubt', async () => {
    const ledger = await openLedger()
    const owner = await own(ledger)
    await owner.apply('k', versionAt(1))
    await owner.gate('k', versionAt(2), true)
    expect(await owner.settle('k', versionAt(2), { full: false })).toBe('settled')
    expect(await owner.gate('k', versionAt(3))).toMatchObject({ uncertain: true })
  })

  test('an entry that was lost meanwhile makes a patch of differences prove nothing, and a full one stand', async () => {
    const ledger = await openLedger()
    const owner = await own(ledger)
    await owner.apply('k', versionAt(1))
    await owner.gate('k', versionAt(2))
    await redis.del(keyOf('k'))
    expect(await owner.settle('k', versionAt(2), { full: false })).toBe('again')
    expect(await redis.get(keyOf('k'))).toBeNull()
    expect(await owner.settle('k', versionAt(2))).toBe('settled')
    expect(await owner.gate('k', versionAt(2))).toBe('stale')
  })

  test('a destination that is ahead keeps version and fingerprints, and makes the key uncertain', async () => {
    const ledger = await openLedger()
    const owner = await own(ledger)
    await owner.apply('k', versionAt(1))
    await owner.gate('k', versionAt(2))
    await owner.settle('k', versionAt(2), { result: 'newer', applied: '' })
    const entry = await owner.gate('k', versionAt(2))
    expect(entry).toMatchObject({ state: 'live', uncertain: true, fingerprints: new Map([['abcde', 'fghijklmnop']]) })
  })

  test('a dead letter is remembered until something of its key is applied, and clears the mark', async () => {
    const ledger = await openLedger()
    const first = await own(ledger)
    await first.apply('k', versionAt(1))
    await first.gate('k', versionAt(2))
    expect(await first.settle('k', versionAt(2), { result: 'dead' })).toBe('settled')
    const second = await own(ledger)
    expect(await second.gate('k', versionAt(3))).toMatchObject({
      letter: packVersion(versionAt(2)),
      uncertain: false,
      state: 'live',
    })
    await second.settle('k', versionAt(3))
    expect(await second.gate('k', versionAt(4))).toMatchObject({ letter: null })
  })

  test('a dead letter that was written down without its version is ended by any success', async () => {
    const owner = await own(await openLedger())
    await owner.apply('k', versionAt(1))
    const text = (await redis.get(keyOf('k')))!
    await redis.set(keyOf('k'), `${text.slice(0, 79)}1${text.slice(80)}`)
    expect(await owner.gate('k', versionAt(2))).toMatchObject({ letter: '0'.repeat(40) })
    await owner.settle('k', versionAt(2))
    expect(await owner.gate('k', versionAt(3))).toMatchObject({ letter: null })
  })

  test('a dead letter keeps the entry of a deleted key, and a newer one at the destination ends the failures', async () => {
    const owner = await own(await openLedger())
    await owner.apply('k', versionAt(1), { state: 'deleted', applied: '' })
    await owner.gate('k', versionAt(2))
    await owner.settle('k', versionAt(2), { result: 'dead' })
    expect(await redis.pttl(keyOf('k'))).toBe(-1)
    await owner.gate('l', versionAt(1))
    await owner.settle('l', versionAt(1), { result: 'failed', applied: packFailures(5, 1_000) })
    expect(await owner.gate('l', versionAt(1))).toMatchObject({ attempts: 5, firstFailedAtMs: 1_000, letter: null })
    await owner.settle('l', versionAt(1), { result: 'newer', applied: '' })
    expect(await owner.gate('l', versionAt(2))).toMatchObject({ attempts: 0 })
  })

  test('a success older than the dead letter does not end it', async () => {
    const owner = await own(await openLedger())
    await owner.gate('k', versionAt(5))
    await owner.settle('k', versionAt(5), { result: 'dead' })
    await owner.apply('k', versionAt(3))
    expect(await owner.gate('k', versionAt(6))).toMatchObject({ letter: packVersion(versionAt(5)) })
  })

  test('a dead letter of a key that never was applied leaves it without a state', async () => {
    const owner = await own(await openLedger())
    await owner.gate('k', versionAt(1))
    await owner.settle('k', versionAt(1), { result: 'dead' })
    expect(await owner.gate('k', versionAt(1))).toMatchObject({ state: 'none', letter: packVersion(versionAt(1)) })
  })

  test('the entry of a deleted key expires, also after it was asked for again, and that of a live one does not', async () => {
    const owner = await own(await openLedger())
    await owner.apply('k', versionAt(1), { state: 'deleted', applied: '' })
    const left = await redis.pttl(keyOf('k'))
    expect(left).toBeGreaterThan(KEEP_MS - 60_000)
    expect(left).toBeLessThanOrEqual(KEEP_MS)
    expect(await owner.gate('k', versionAt(2))).toMatchObject({ state: 'deleted' })
    expect(await redis.pttl(keyOf('k'))).toBeGreaterThan(0)
    await owner.apply('k', versionAt(3))
    expect(await redis.pttl(keyOf('k'))).toBe(-1)
  })

  test('a batch is settled as a whole, and the progress of the scope is told', async () => {
    const ledger = await openLedger()
    const { token } = await own(ledger)
    expect(await ledger.progress(SCOPE)).toBeNull()
    const keys = Array.from({ length: 300 }, (_, index) => `k${index} ü𝄞\n{x}`)
    const version = packVersion(versionAt(1))
    await ledger.gate(
      SCOPE,
      token,
      keys.map((key) => ({ key, version, uncertain: false })),
    )
    const requests = keys.map(
      (key): SettleRequest => ({
        key,
        version,
        result: 'applied',
        full: true,
        state: 'live',
        alone: true,
        applied: PRINTS,
      }),
    )
    const before = Date.now()
    expect(await ledger.settle(SCOPE, token, requests, 1_763_785_000_000_123n)).toEqual(keys.map(() => 'settled'))
    const progress = await ledger.progress(SCOPE)
    expect(progress!.committedAt).toBe(1_763_785_000_000_123n)
    expect(Math.abs(progress!.settledAtMs - before)).toBeLessThan(60_000)
    const answers = await ledger.gate(
      SCOPE,
      token,
      keys.map((key) => ({ key, version, uncertain: false })),
    )
    expect(new Set(answers)).toEqual(new Set(['e']))
  })
})

import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../support/flow.ts'
import { startOwnStack } from '../../support/servers/own-stack.ts'
import { versionAt } from '../fixtures.ts'
import { newToken, openLedger, own, SCOPE } from './own-ledger.ts'

describe('a Redis of its own', () => {
  test('that starts again makes every key uncertain, asks for differences again, and forgets no version', {
    timeout: 90_000,
  }, async () => {
    const stack = await startOwnStack({ services: ['redis'] })
    const url = stack.addresses.redisUrl!
    const ledger = await openLedger({ url, lateRequestMs: 0 })
    const owner = await own(ledger)
    await owner.apply('settled', versionAt(1))
    await owner.apply('flying', versionAt(1))
    await owner.gate('flying', versionAt(2))
    const connection = ledger.connection
    await stack.kill('redis')
    await expect(owner.gate('settled', versionAt(2))).rejects.toMatchObject({ code: 'ledger-unreachable' })
    await stack.restart('redis')
    await eventually(() => ledger.ready, 'it is connected again')
    expect(ledger.connection).toBeGreaterThan(connection)
    // The token is of a former life: nothing is let through under it, and what it settles is asked again unless it was full.
    expect(await owner.gate('settled', versionAt(2))).toBe('fenced')
    expect(await owner.settle('flying', versionAt(2), { full: false })).toBe('again')
    const again = await own(ledger)
    expect(await again.gate('settled', versionAt(1))).toMatchObject({ state: 'live', uncertain: true })
    expect(await again.gate('settled', versionAt(0))).toBe('stale')
    expect(await again.gate('new', versionAt(1))).toMatchObject({ state: 'none' })
    await again.settle('settled', versionAt(1))
    expect(await again.gate('settled', versionAt(1))).toBe('stale')
  })

  test('that starts again counts as born again, so that a key without an entry is uncertain', {
    timeout: 90_000,
  }, async () => {
    const stack = await startOwnStack({ services: ['redis'] })
    const ledger = await openLedger({ url: stack.addresses.redisUrl!, lateRequestMs: 2_000 })
    const owner = await own(ledger)
    const born = Date.now()
    await eventually(() => Date.now() > born + 2_500, 'its birth is long ago')
    expect(await owner.gate('k', versionAt(1))).toMatchObject({ uncertain: false })
    await stack.restart('redis')
    await eventually(() => ledger.ready, 'it is connected again')
    const again = await own(ledger)
    expect(await again.gate('other', versionAt(1))).toMatchObject({ state: 'none', uncertain: true })
  })

  test('that may evict entries is told of, and one that may not is not', { timeout: 90_000 }, async () => {
    const stack = await startOwnStack({ services: ['redis'] })
    const url = stack.addresses.redisUrl!
    const lines: string[] = []
    const log = (level: string, message: string) => void lines.push(`${level} ${message}`)
    await openLedger({ url, log })
    expect(lines.filter((line) => line.startsWith('warn'))).toEqual([])
    const admin = new Redis(url)
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
    await admin.quit()
    await openLedger({ url, log })
    expect(lines.filter((line) => line.startsWith('warn'))).toEqual([expect.stringMatching(/noeviction.*allkeys-lru/)])
  })

  test('that is not there is said at once, and nothing is carried out late', { timeout: 90_000 }, async () => {
    const stack = await startOwnStack({ services: ['redis'] })
    const url = stack.addresses.redisUrl!
    const ledger = await openLedger({ url })
    const owner = await own(ledger)
    const unhandled: unknown[] = []
    const onUnhandled = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', onUnhandled)
    onTestFinished(() => void process.off('unhandledRejection', onUnhandled))
    await stack.kill('redis')
    const attempts = Array.from({ length: 20 }, (_, index) => owner.gate(`k${index}`, versionAt(1)))
    for (const attempt of await Promise.allSettled(attempts))
      expect(attempt).toMatchObject({ status: 'rejected', reason: { code: 'ledger-unreachable' } })
    await expect(ledger.claim(SCOPE, newToken())).rejects.toMatchObject({ code: 'ledger-unreachable' })
    await expect(ledger.progress(SCOPE)).rejects.toMatchObject({ code: 'ledger-unreachable' })
    await expect(openLedger({ url })).rejects.toMatchObject({ code: 'ledger-unreachable' })
    await stack.restart('redis')
    await eventually(() => ledger.ready, 'it is connected again')
    const admin = new Redis(url)
    expect((await admin.keys('*:key:*')).length).toBe(0)
    await admin.quit()
    expect(unhandled).toEqual([])
  })
})

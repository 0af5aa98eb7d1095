import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packFailures, packVersion } from '../../../consumers/ledger/entry.ts'
import type { SettleRequest } from '../../../consumers/ledger/ledger.ts'
import { compareVersions, type Version } from '../../../schemas/version.ts'
import { versions } from '../../schemas/sample.ts'
import { keyOf, newToken, openLedger, PRINTS, redis, SCOPE } from './own-ledger.ts'

const SEED = Number(process.env.TRIBUTARY_SEED ?? Date.now() % 1_000_000)

/** Versions that differ in one part only, by little, beside any two. */
const pairs: fc.Arbitrary<readonly [Version, Version]> = fc.oneof(
  fc.tuple(versions, versions),
  fc.tuple(versions, fc.constantFrom('epoch', 'position', 'ordinal'), fc.constantFrom(-1, 1)).map(([one, part, by]) => {
    if (part === 'ordinal') return [one, { ...one, ordinal: clamp(one.ordinal + by, -1, 2 ** 31 - 1) }] as const
    const lowest = part === 'epoch' ? 1n : 0n
    const moved = clamp(one[part as 'epoch' | 'position'] + BigInt(by), lowest, 2n ** 63n - 1n)
    return [one, { ...one, [part]: moved }] as const
  }),
  versions.map((one) => [one, one] as const),
)

function clamp<T extends number | bigint>(value: T, lowest: T, highest: T): T {
  return value < lowest ? lowest : value > highest ? highest : value
}

function settled(key: string, version: Version, parts: Partial<SettleRequest> = {}): SettleRequest {
  const head = { key, version: packVersion(version), full: true, state: 'live', alone: true, applied: PRINTS } as const
  return { ...head, result: 'applied', ...parts }
}

test(`the scripts order versions as we do (TRIBUTARY_SEED=${SEED})`, async () => {
  const ledger = await openLedger()
  const token = newToken()
  await ledger.claim(SCOPE, token)
  const some = fc.sample(pairs, { numRuns: 3_000, seed: SEED })
  const applied = some.map(([one], at) => settled(`k${at}`, one))
  const asked = some.map(([, other], at) => ({ key: `k${at}`, version: packVersion(other), uncertain: false }))
  for (let at = 0; at < some.length; at += 500) {
    await ledger.settle(SCOPE, token, applied.slice(at, at + 500), null)
    const answers = await ledger.gate(SCOPE, token, asked.slice(at, at + 500))
    for (const [index, answer] of (answers as readonly string[]).entries()) {
      const [one, other] = some[at + index]!
      expect(answer[0], `${packVersion(other)} after ${packVersion(one)}`).toBe(
        ['s', 'e', 'g'][1 + Math.sign(compareVersions(other, one))],
      )
    }
  }
})

test(`in whatever order results of a key are settled, and however often, its newest stays (TRIBUTARY_SEED=${SEED})`, async () => {
  const ledger = await openLedger()
  const token = newToken()
  await ledger.claim(SCOPE, token)
  const result = fc.constantFrom('applied' as const, 'applied' as const, 'newer' as const, 'failed' as const)
  const results = fc.array(fc.tuple(versions, result), { minLength: 1, maxLength: 12 })
  const cases = fc.sample(results, { numRuns: 150, seed: SEED })
  for (const [at, some] of cases.entries()) {
    const key = `k${at}`
    const requests = some.map(([version, result]) =>
      result === 'failed'
        ? settled(key, version, { result, applied: packFailures(1, 1_700_000_000_000) })
        : settled(key, version, { result, applied: result === 'applied' ? PRINTS : '' }),
    )
    // All of them in one script, or each in its own.
    if (at % 2 === 0) await ledger.settle(SCOPE, token, requests, null)
    else for (const request of requests) await ledger.settle(SCOPE, token, [request], null)
    const applied = some.filter(([, how]) => how === 'applied').map(([version]) => packVersion(version))
    const entry = await redis.get(keyOf(key))
    if (applied.length > 0) expect(entry?.slice(0, 40)).toBe(applied.sort().at(-1))
    else expect(entry?.slice(0, 40) ?? '0'.repeat(40)).toBe('0'.repeat(40))
  }
})

test(`one script for many keys answers and writes what one for each does (TRIBUTARY_SEED=${SEED})`, async () => {
  const ledger = await openLedger()
  const token = newToken()
  await ledger.claim(SCOPE, token)
  const step = fc.record({
    version: versions,
    result: fc.constantFrom('applied' as const, 'newer' as const, 'dead' as const),
    full: fc.boolean(),
    state: fc.constantFrom('live' as const, 'deleted' as const),
  })
  const keys = fc.sample(fc.array(step, { minLength: 4, maxLength: 4 }), { numRuns: 60, seed: SEED })
  for (let round = 0; round < 4; round++) {
    const requests = (side: string) =>
      keys.map((steps, at) =>
        settled(`${side}${at}`, steps[round]!.version, {
          ...steps[round]!,
          version: packVersion(steps[round]!.version),
        }),
      )
    const asked = (side: string) =>
      keys.map((steps, at) => ({ key: `${side}${at}`, version: packVersion(steps[round]!.version), uncertain: false }))
    const together = [
      await ledger.gate(SCOPE, token, asked('m')),
      await ledger.settle(SCOPE, token, requests('m'), null),
    ]
    const alone: [string[], string[]] = [[], []]
    for (const [at, one] of asked('s').entries()) {
      alone[0].push((await ledger.gate(SCOPE, token, [one]))[0]!)
      alone[1].push((await ledger.settle(SCOPE, token, [requests('s')[at]!], null))[0]!)
    }
    const withoutTimes = (answer: string) => answer.slice(0, 3) + answer.slice(17)
    expect(alone[0].map(withoutTimes)).toEqual((together[0] as string[]).map(withoutTimes))
    expect(alone[1]).toEqual(together[1])
    for (const at of keys.keys()) {
      const [many, single] = [await redis.get(keyOf(`m${at}`)), await redis.get(keyOf(`s${at}`))]
      const masked = (entry: string | null) =>
        entry && entry.slice(0, 65) + (Number(entry.slice(65, 79)) === 0 ? 'none' : 'some') + entry.slice(79)
      expect(masked(single)).toBe(masked(many))
    }
  }
})

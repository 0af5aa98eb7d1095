import { describe, expect, test } from 'vitest'
import { packVersion } from '../../../consumers/ledger/entry.ts'
import type { SettleRequest } from '../../../consumers/ledger/ledger.ts'
import { versionAt } from '../fixtures.ts'
import { type Random, randomOf } from '../simulation/random.ts'
import { LedgerModel } from './ledger-model.ts'
import { FOREVER_MS, keyOf, newToken, openLedger, redis, SCOPE } from './own-ledger.ts'

describe('the model of the scripts that simulations use', () => {
  const KEYS = ['x', 'y']

  test.each([1, 2, 3, 4, 5, 6])('answers and holds what Redis does, whatever is asked (seed %i)', async (seed) => {
    const random = randomOf(seed)
    const compares = random.chance(0.5)
    const ledgers = {
      0: await openLedger({ lateRequestMs: 0, comparesVersions: compares }),
      [FOREVER_MS]: await openLedger({ lateRequestMs: FOREVER_MS, comparesVersions: compares }),
    }
    const model = new LedgerModel()
    model.run = /^run_id:(.{8})/m.exec(await redis.info('server'))![1]!
    const tokens = [newToken(), newToken()]
    for (let step = 0; step < 250; step++) {
      const token = random.pick(tokens)
      const late = random.pick([0, FOREVER_MS] as const)
      const ledger = ledgers[late]!
      const action = random.next()
      const now = Date.now()
      if (action < 0.15) {
        await ledger.claim(SCOPE, token)
        model.claim(SCOPE, token, now)
      } else if (action < 0.2) {
        const key = random.pick(KEYS)
        await redis.del(keyOf(key))
        model.store.delete(`{warehouse/customer/3}:key:${key}`)
      } else if (action < 0.6) {
        const requests = keysOf(random).map((key) => ({
          key,
          version: versionOf(random),
          uncertain: random.chance(0.2),
        }))
        const answers = await ledger.gate(SCOPE, token, requests)
        expect(masked(answers)).toEqual(masked(model.gate(SCOPE, token, late, requests, now)))
      } else {
        const requests = keysOf(random).map(
          (key): SettleRequest => ({
            key,
            version: versionOf(random),
            result: random.pick(['applied', 'applied', 'newer', 'dead']),
            full: random.chance(0.5),
            state: random.pick(['live', 'deleted']),
            alone: random.chance(0.5),
            applied: 'p'.repeat(16 * random.upTo(2)),
          }),
        )
        const answers = await ledger.settle(SCOPE, token, requests, null)
        // The model's clock is read before the script's: what ends now has ended for both.
        expect(answers).toEqual(model.settle(SCOPE, token, compares, requests, now + 1_000))
      }
      for (const key of KEYS) {
        const held = model.store.get(`{warehouse/customer/3}:key:${key}`) ?? null
        expect(withoutTimes(await redis.get(keyOf(key)))).toBe(withoutTimes(held))
      }
    }
  })

  const keysOf = (random: Random) =>
    KEYS.slice(random.upTo(1), 1 + random.upTo(1)).concat(random.chance(0.1) ? ['x'] : [])
  const versionOf = (random: Random) => packVersion(versionAt(random.upTo(4), random.upTo(1) - 1))

  /** The time of day in an entry, or in an answer, told apart only as none or some. */
  function withoutTimes(entry: string | null): string | null {
    if (entry === null) return null
    const till = entry.slice(65, 79)
    return entry.slice(0, 65) + (Number(till) === 0 ? 'none' : 'some') + entry.slice(79)
  }

  function masked(answers: 'fenced' | readonly string[]) {
    if (answers === 'fenced') return answers
    return answers.map((answer) => {
      if (answer[0] !== 'g') return answer
      const left = Number(answer.slice(3, 17))
      return `${answer.slice(0, 3)}${left > FOREVER_MS / 2 ? 'long' : 'over'}${answer.slice(17)}`
    })
  }
})

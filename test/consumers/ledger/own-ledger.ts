import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished } from 'vitest'
import { packVersion, parseAnswer } from '../../../consumers/ledger/entry.ts'
import { Ledger, type Scope, type SettleRequest } from '../../../consumers/ledger/ledger.ts'
import type { Version } from '../../../schemas/version.ts'
import { required } from '../../support/flow.ts'

export const FOREVER_MS = 1_000_000_000
export const KEEP_MS = 3_600_000
export const PRINTS = 'abcdefghijklmnop'

/** The stack's Redis, beside the ledger. */
export let redis: Redis
let prefix: string

beforeAll(async () => {
  redis = new Redis(required('TRIBUTARY_REDIS_URL'))
})

afterAll(async () => {
  await redis?.quit()
})

beforeEach(() => {
  prefix = `l${randomBytes(4).toString('hex')}`
  onTestFinished(flush)
})

/** Everything of this test's ledger is gone. */
export async function flush(): Promise<void> {
  const keys = await redis.keys(`tributary:${prefix}:*`)
  if (keys.length > 0) await redis.del(...keys)
}

export const SCOPE: Scope = { subscriber: 'warehouse', entity: 'customer', partition: 3 }

interface Open {
  url?: string
  lateRequestMs?: number
  comparesVersions?: boolean
  log?: (level: string, message: string) => void
}

/** A connected ledger under the test's own prefix. */
export async function openLedger(options: Open = {}): Promise<Ledger> {
  const ledger = new Ledger({
    url: required('TRIBUTARY_REDIS_URL'),
    prefix,
    lateRequestMs: 0,
    comparesVersions: true,
    deletedKeepMs: KEEP_MS,
    log: () => {},
    ...options,
  })
  onTestFinished(() => ledger.close())
  await ledger.connect()
  return ledger
}

export const newToken = () => randomBytes(8).toString('hex')

/** An owner of the scope: what it asks is asked under its token. */
export async function own(ledger: Ledger, scope = SCOPE) {
  const token = newToken()
  await ledger.claim(scope, token)
  return ownerWith(ledger, token, scope)
}

export function ownerWith(ledger: Ledger, token: string, scope = SCOPE) {
  /** As the engine has it, unless told otherwise. */
  let alone = true
  return {
    token,
    async gate(key: string, version: Version, uncertain = false) {
      const answers = await ledger.gate(scope, token, [{ key, version: packVersion(version), uncertain }])
      if (answers === 'fenced') return 'fenced'
      if (answers[0]![0] !== 'g') return 'stale'
      const entry = parseAnswer(answers[0]!)
      alone = entry.uncertainForMs === 0
      return entry
    },
    async settle(key: string, version: Version, parts: Partial<SettleRequest> = {}) {
      const request: SettleRequest = {
        key,
        version: packVersion(version),
        result: 'applied',
        full: true,
        state: 'live',
        alone,
        applied: PRINTS,
        ...parts,
      }
      const answers = await ledger.settle(scope, token, [request], null)
      return answers === 'fenced' ? 'fenced' : answers[0]
    },
    async apply(key: string, version: Version, parts: Partial<SettleRequest> = {}) {
      expect(await this.gate(key, version)).not.toBe('stale')
      expect(await this.settle(key, version, parts)).toBe('settled')
    },
  }
}

export const keyOf = (key: string, { subscriber, entity, partition } = SCOPE) =>
  `tributary:${prefix}:{${subscriber}/${entity}/${partition}}:key:${key}`

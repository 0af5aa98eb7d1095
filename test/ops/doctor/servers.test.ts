import { expect, test } from 'vitest'
import type { LedgerServerState } from '../../../consumers/ledger/server-state.ts'
import { decideClocks } from '../../../ops/doctor/clocks.ts'
import {
  decideEviction,
  decideLedgerServer,
  decideMemory,
  decidePersistence,
} from '../../../ops/doctor/ledger/ledger.ts'
import { decideCompatibility, decideSchemas } from '../../../ops/doctor/registry/schemas.ts'
import type { SchemaPlan } from '../../../ops/provision/schemas.ts'

const MB = 1024 * 1024
const CLI = 'redis-cli -h redis -p 6379'
const STATE: LedgerServerState = {
  ...{ version: '7.2.4', startedAtMs: 0, evictedKeys: 0, usedBytes: 10 * MB, limitBytes: null },
  ...{ policy: 'noeviction', appendOnly: true, savesWell: true },
}
const state = (more: Partial<LedgerServerState>) => ({ ...STATE, ...more })

test('Redis has to know the commands of the scripts', () => {
  expect(decideLedgerServer(STATE, 3 * 3_600_000)).toMatchObject([{ result: 'ok', found: 'Redis 7.2.4, up for 3 h' }])
  expect(decideLedgerServer(state({ version: '5.0.14' }), 0)).toMatchObject([{ result: 'fail' }])
})

test('a policy that drops entries fails once there is a limit at which it does', () => {
  const set = `${CLI} CONFIG SET maxmemory-policy noeviction\nand the same in redis.conf`
  expect(decideEviction(STATE, CLI)).toMatchObject([{ result: 'ok' }])
  expect(decideEviction(state({ policy: 'allkeys-lru' }), CLI)).toMatchObject([{ result: 'warn', todo: set }])
  expect(decideEviction(state({ policy: 'allkeys-lru', limitBytes: 64 * MB, evictedKeys: 7 }), CLI)).toMatchObject([
    { result: 'fail', found: expect.stringContaining('7 entries were dropped'), todo: set },
  ])
  expect(decideEviction(state({ evictedKeys: 7 }), CLI)).toMatchObject([{ result: 'warn' }])
})

test('without an append-only file a crash costs repeats; a write that fails stops delivery', () => {
  expect(decidePersistence(STATE, CLI)).toMatchObject([{ result: 'ok' }])
  expect(decidePersistence(state({ appendOnly: false }), CLI)).toMatchObject([
    { result: 'warn', todo: `${CLI} CONFIG SET appendonly yes\nand the same in redis.conf` },
  ])
  expect(decidePersistence(state({ savesWell: false }), CLI)).toMatchObject([{ result: 'fail' }])
})

test('memory is told beside its limit, and twice of it asked for when it runs short', () => {
  const used = (share: number) => decideMemory(state({ usedBytes: share * MB, limitBytes: 100 * MB }), CLI)[0]!
  expect(decideMemory(STATE, CLI)).toMatchObject([{ result: 'ok', found: '10 MB used, no maxmemory' }])
  expect(used(50)).toMatchObject({ result: 'ok', found: '50 MB of 100 MB used (50 %)' })
  expect(used(80)).toMatchObject({
    result: 'warn',
    todo: `${CLI} CONFIG SET maxmemory 200mb\nand the same in redis.conf`,
  })
  expect(used(96)).toMatchObject({ result: 'fail' })
})

const PLAN: SchemaPlan = {
  entity: 'order',
  subject: 'shop.order-value',
  schema: {} as SchemaPlan['schema'],
  action: 'none',
  problems: [],
}

test('a schema is registered, can be, or cannot be', () => {
  expect(decideSchemas('registry', [PLAN])).toMatchObject([{ result: 'ok', found: '1 schema registered as declared' }])
  expect(decideSchemas('registry', [{ ...PLAN, action: 'register' }])).toMatchObject([
    { result: 'fail', subject: 'shop.order-value', todo: 'tributary provision' },
  ])
  const many = ['a', 'b', 'c', 'd'].map((name) => ({ ...PLAN, subject: name, action: 'register' as const }))
  expect(decideSchemas('registry', many)).toMatchObject([
    { subject: 'registry', found: '4 declared schemas are not registered: a, b, c and others' },
  ])
  const problems = [{ why: 'field a is gone', suggestion: 'put it back' }] as unknown as SchemaPlan['problems']
  expect(decideSchemas('registry', [{ ...PLAN, action: 'register', problems }])).toMatchObject([
    { result: 'fail', found: expect.stringContaining('field a is gone'), todo: 'put it back' },
  ])
})

test('another compatibility fails, with a command that holds no password', () => {
  const decide = (level: string) =>
    decideCompatibility('registry', [{ subject: 'shop.order-value', level }], 'http://user:secret@registry:8081/')[0]!
  expect(decide('FULL_TRANSITIVE')).toMatchObject({ result: 'ok' })
  const none = decide('NONE')
  expect(none).toMatchObject({ result: 'fail', subject: 'shop.order-value' })
  expect(none.todo).toContain('curl -X PUT http://registry:8081/config/shop.order-value \\\n')
  expect(none.todo).toContain('{"compatibility":"FULL_TRANSITIVE"}')
})

test('a clock is held against its server only as far as the way there cannot explain it', () => {
  const read = (offsetMs: number, tookMs = 2) => {
    const reading = { sentMs: 1_000_000, heardMs: 1_000_000 + tookMs, theirMs: 1_000_000 + tookMs / 2 + offsetMs }
    return decideClocks(new Map([['erp', reading]]))[0]!
  }
  expect(read(3)).toMatchObject({ result: 'ok', subject: 'this machine', found: 'erp +3 ms' })
  expect(read(2_500, 4_000)).toMatchObject({ result: 'ok' })
  expect(read(-2_500)).toMatchObject({ result: 'warn', subject: 'erp', found: expect.stringContaining('2.5 s behind') })
  expect(read(400_000)).toMatchObject({ result: 'fail', todo: expect.stringContaining('timedatectl set-ntp true') })
  expect(decideClocks(new Map())).toEqual([])
})

import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { partitionOf } from '../../../connectors/kafka/murmur2.ts'
import { openLedger } from '../../../ops/process/delivery.ts'
import { expectError, expectReadable } from '../../support/cli.ts'
import { createFlow, eventually, type Flow, type FlowProcess, required } from '../../support/flow.ts'
import { CUSTOMERS, declareCustomers } from '../customers.ts'

/** What brings a subscriber right that is not as its ledger says: a resync, and not a rewind; a sweep for deletes that it missed. */
let flow: Flow
let running: FlowProcess
let redis: Redis
const ROWS = 20
const DAY_MS = 24 * 3_600_000

beforeAll(async () => {
  flow = await createFlow(declareCustomers, CUSTOMERS)
  await flow.provision()
  redis = new Redis(required('TRIBUTARY_REDIS_URL'))
  await ageLedger()
  running = flow.start('run')
  await eventually(
    async () => (await names()).length === ROWS,
    () => `all rows arrive\n${running.log()}`,
  )
})

/** A ledger that is born now trusts nothing at first, and would send all a second time. */
async function ageLedger(): Promise<void> {
  const runId = /^run_id:([0-9a-f]{8})/m.exec(await redis.info('server'))![1]!
  const owner = '-'.repeat(16) + String(Date.now() - DAY_MS).padStart(14, '0') + runId
  for (let partition = 0; partition < 3; partition++)
    await redis.set(`tributary:${flow.prefix}:{warehouse/customer/${partition}}:owner`, owner)
}

afterAll(async () => {
  redis?.disconnect()
  await flow?.close()
})

const names = async () => (await flow.warehouse`SELECT name FROM customers ORDER BY id::int`).map(({ name }) => name)
const spoil = (id: number) => flow.warehouse`UPDATE customers SET name = 'spoilt' WHERE id = ${id}`
const isSpoilt = async (id: number) => (await names())[id - 1] === 'spoilt'

async function restart(): Promise<void> {
  running.kill('SIGTERM')
  expect(await running.exited).toBe(0)
}

test('resync of a key sends this one again in full, resync of a subscriber all', async () => {
  await spoil(3)
  await spoil(5)
  const one = await flow.run('resync', 'warehouse', 'customer', '3', '--json')
  expect(JSON.parse(one.stdout), one.stderr).toMatchObject({
    ok: true,
    partitions: 1,
    answered: 1,
    keys: 1,
    failed: [],
  })
  expect([await isSpoilt(3), await isSpoilt(5)]).toEqual([false, true])
  const all = await flow.run('resync', 'warehouse')
  expect(all.code, all.stderr).toBe(0)
  expect(all.stdout).toContain(`${ROWS} keys of 3 partitions sent again to warehouse.`)
  expectReadable(all.stdout)
  expect(await isSpoilt(5)).toBe(false)
})

test('rewind wants delivery stopped, goes back, and sends nothing that was applied', async () => {
  await expectError(['rewind', 'warehouse', '--to', 'beginning', '-f', flow.file], flow.env, {
    code: 'group-active',
    exitCode: 1,
    says: ['tributary deliver warehouse'],
  })
  await restart()
  await expectError(['resync', 'warehouse', 'customer', '1', '--timeout', '1', '-f', flow.file], flow.env, {
    code: 'command-unanswered',
    exitCode: 1,
    says: ['1 partition of subscriber warehouse', 'do not ask again'],
  })
  await spoil(7)
  const dry = await flow.run('rewind', 'warehouse', 'customer', '--to', 'beginning', '--dry-run', '--json')
  const { offsets } = JSON.parse(dry.stdout) as { offsets: { from: string; to: string }[] }
  expect(offsets.reduce((sum, { from, to }) => sum + Number(from) - Number(to), 0)).toBeGreaterThanOrEqual(ROWS)
  const late = await flow.run('rewind', 'warehouse', '--to', '2099-01-01', '--json')
  expect(JSON.parse(late.stdout)).toMatchObject({ ok: true, offsets: [] })
  const done = await flow.run('rewind', 'warehouse', '--to', 'beginning')
  expect([done.code, done.stderr]).toEqual([0, ''])
  expectReadable(done.stdout)
  const again = await flow.run('rewind', 'warehouse', '--to', 'beginning', '--json')
  expect(JSON.parse(again.stdout)).toMatchObject({ offsets: [] })
  running = flow.start('run')
  await flow.source`UPDATE customers SET note = 'after' WHERE true`
  await eventually(
    async () => (await flow.warehouse`SELECT 1 FROM customers WHERE note = 'after'`).length === ROWS,
    () => `all is read again\n${running.log()}`,
  )
  expect(await isSpoilt(7)).toBe(true)
})

test('who was away for longer than deletes are kept loses what the topic does not have, and nothing else', async () => {
  await restart()
  const ghost = '999'
  const scope = { subscriber: 'warehouse', entity: 'customer', partition: partitionOf(ghost, 3) }
  const ledger = openLedger(flow.environment(), { lateRequestMs: 0, comparesVersions: true })
  try {
    // It was applied once; its records, the delete too, have left the topic since.
    const [row] = await flow.warehouse`SELECT * FROM customers WHERE id = 1`
    await flow.warehouse`INSERT INTO customers ${flow.warehouse({ ...row, id: 999, tributary_key: ghost })}`
    const version = Buffer.from(row!.tributary_version).toString('hex')
    const token = 'f'.repeat(16)
    await ledger.connect()
    await ledger.claim(scope, token)
    await ledger.gate(scope, token, [{ key: ghost, version, uncertain: false }])
    const how = { result: 'applied', full: true, state: 'live', alone: true, applied: '' } as const
    await ledger.settle(scope, token, [{ key: ghost, version, ...how }], null)
    const longAgo = String(Date.now() - flow.declaration().topics.deleteRetentionMs - DAY_MS).padStart(14, '0')
    const note = `tributary:${flow.prefix}:{warehouse/customer/${scope.partition}}:deletes-seen`
    expect(await redis.get(note)).toMatch(/^\d{14}$/)
    await redis.set(note, longAgo)
    running = flow.start('run')
    await eventually(
      async () => (await names()).length === ROWS,
      () => `the key is gone\n${running.log()}`,
    )
    await eventually(
      async () => (await redis.get(note))! > longAgo,
      () => `it is noted\n${running.log()}`,
    )
    expect(running.log()).toMatch(/"deleted":1,.*missed deletes are made up for/)
    expect(running.log()).not.toContain(ghost)
  } finally {
    ledger.close()
  }
})

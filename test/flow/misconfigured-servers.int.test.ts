import { Redis } from 'ioredis'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunningStack } from '../../ops/stack/stack.ts'
import { expectError, startCli } from '../support/cli.ts'
import { createFlow, eventually, type Flow } from '../support/flow.ts'
import { startOwnStack } from '../support/servers/own-stack.ts'
import { CUSTOMERS, declareCustomers } from './customers.ts'

let flow: Flow

beforeAll(async () => {
  flow = await createFlow(declareCustomers, CUSTOMERS)
  await flow.provision()
})

afterAll(async () => {
  await flow?.close()
})

test('a source whose wal_level is not logical is told the statement and the restart', async () => {
  const stack = await startOwnStack({ services: ['postgres'] })
  try {
    await onServer(stack, [CUSTOMERS, 'ALTER SYSTEM SET wal_level = replica'])
    await stack.restart('postgres')
    const env = { ...flow.env, ERP_URL: stack.addresses.postgresUrl }
    const wanted = {
      code: 'source-unsuitable',
      exitCode: 1,
      says: ['wal_level is replica', 'ALTER SYSTEM SET wal_level = logical', 'restart the server'],
      hides: [new URL(stack.addresses.postgresUrl).password],
    } as const
    await expectError(['provision', '-f', flow.file], env, wanted)
    await expectError(['capture', 'erp', '-f', flow.file, '--port', '0'], env, wanted)
  } finally {
    await stack.stop()
  }
})

test('a Redis that may drop entries is warned of, and used', async () => {
  const stack = await startOwnStack({ services: ['redis'] })
  try {
    const redis = new Redis(stack.addresses.redisUrl)
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
    redis.disconnect()
    const env = { ...flow.env, TRIBUTARY_REDIS_URL: stack.addresses.redisUrl }
    const process = startCli(['deliver', 'warehouse', '-f', flow.file, '--port', '0', '--json'], env)
    await eventually(() => process.stdout().includes('"ok":true'), 'it runs', 40_000)
    const { code, stderr } = await process.stop()
    expect(code, stderr).toBe(0)
    expect(stderr).toMatch(/"level":40.+set maxmemory-policy to noeviction \(it is allkeys-lru\)/)
  } finally {
    await stack.stop()
  }
})

test('a topic that was deleted is named before anything is captured or delivered', async () => {
  const topic = `${flow.prefix}.customer`
  const admin = flow.environment().kafka.admin()
  await admin.connect()
  await admin.deleteTopics({ topics: [topic] })
  await eventually(async () => !(await admin.listTopics()).includes(topic), 'the topic is gone')
  await admin.disconnect()
  for (const command of [
    ['capture', 'erp'],
    ['deliver', 'warehouse'],
  ])
    await expectError([...command, '-f', flow.file, '--port', '0'], flow.env, {
      code: 'topic-missing',
      exitCode: 1,
      says: [`Topic ${topic} does not exist`, 'Run `tributary provision`'],
    })
})

async function onServer(stack: RunningStack, statements: readonly string[]): Promise<void> {
  const sql = postgres(stack.addresses.postgresUrl, { max: 1, onnotice: () => {} })
  try {
    for (const statement of statements) await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}

import { stat } from 'node:fs/promises'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { addressEnvironment } from '../../ops/stack/addresses.ts'
import { type RunningStack, stackStatus } from '../../ops/stack/stack.ts'
import { createFlow, eventually, type Flow } from '../support/flow.ts'
import { ageLedger } from '../support/old-ledger.ts'
import { untilQuiet } from '../support/quiet.ts'
import { differences } from '../support/rows.ts'
import { startOwnStack } from '../support/servers/own-stack.ts'
import { copyRedis, redisLog } from '../support/servers/redis-log.ts'
import { outdatedRows, readHistory } from '../support/topics/topic-history.ts'
import { type Fleet, startFleet } from './workload/fleet.ts'
import { chosenSeed } from './workload/random.ts'
import { type Sessions, startSessions } from './workload/sessions.ts'
import { declare, SOURCE_SQL, TABLES } from './workload/tables.ts'

const SEED = chosenSeed()
const COMMANDS = { capture: ['capture', 'erp'], delivery: ['deliver', 'warehouse'], other: ['deliver', 'warehouse'] }
const DOWN_MS = 8_000
/** Longer than a command may take (consumers/ledger/ledger.ts), so that commands that were given up land afterwards. */
const FROZEN_MS = 8_000

interface Scene {
  readonly flow: Flow
  readonly fleet: Fleet
  readonly sessions: Sessions
  readonly stack: RunningStack
  readonly redis: Redis
}

/** A pipeline at work, with a Redis of its own. */
async function startScene(): Promise<Scene> {
  const stack = await startOwnStack({ services: ['redis'] })
  const address = addressEnvironment(stack.addresses)
  const redis = new Redis(stack.addresses.redisUrl, { retryStrategy: () => 100, maxRetriesPerRequest: null })
  // A server that goes away is what these tests are about.
  redis.on('error', () => {})
  const flow = await createFlow(declare, SOURCE_SQL, address)
  onTestFinished(async () => {
    redis.disconnect()
    await flow.close()
  }, 120_000)
  await flow.provision()
  await ageLedger(flow)
  const fleet = startFleet(flow, COMMANDS)
  const sessions = startSessions(flow, SEED, 2)
  await eventually(async () => (await redis.dbsize()) > 30, 'the ledger fills')
  return { flow, fleet, sessions, stack, redis }
}

/** Waits until so many more transactions have been made, whatever becomes of them. */
async function untilMoreIsDone(sessions: Sessions, transactions: number): Promise<void> {
  const target = sessions.done().ended + transactions
  await eventually(() => sessions.done().ended >= target, `${transactions} transactions are done`)
}

async function expectEquality({ flow, fleet, sessions }: Scene): Promise<void> {
  await untilMoreIsDone(sessions, 50)
  await sessions.stop()
  const story = () => `SEED=${SEED}\n${fleet.log()}`
  await untilQuiet(flow).catch((error) => {
    throw new Error(story(), { cause: error })
  })
  expect(await differences(flow, TABLES), story()).toEqual([])
  for (const { entity, warehouse } of TABLES)
    expect(await outdatedRows(flow, entity, warehouse, await readHistory(flow, entity)), story()).toEqual([])
  expect(await fleet.stop()).toEqual([0, 0, 0])
}

async function runId(redis: Redis): Promise<string> {
  return /^run_id:(\w+)/m.exec(await redis.info('server'))![1]!
}

const timeout = 300_000

test(`a ledger that is set back to an earlier copy costs repeats, and skips nothing (SEED=${SEED})`, {
  timeout,
}, async () => {
  const scene = await startScene()
  const { redis, stack, sessions } = scene
  const before = await runId(redis)
  const copy = await copyRedis(stack)
  await untilMoreIsDone(sessions, 150)
  expect((await stat(redisLog(stack))).size, 'the ledger went on after the copy').toBeGreaterThan(copy.bytes)
  await copy.setBack()
  expect(await runId(redis)).not.toBe(before)
  await expectEquality(scene)
})

test(`a ledger that is flushed costs repeats, and skips nothing (SEED=${SEED})`, { timeout }, async () => {
  const scene = await startScene()
  for (let times = 0; times < 5; times++) {
    await untilMoreIsDone(scene.sessions, 40)
    await scene.redis.flushall()
  }
  await expectEquality(scene)
})

test(`while the ledger is down nothing is sent, and nothing is lost (SEED=${SEED})`, { timeout }, async () => {
  const scene = await startScene()
  const { flow, stack, redis } = scene
  await untilMoreIsDone(scene.sessions, 50)
  await scene.sessions.stop()
  await untilQuiet(flow)
  await stack.kill('redis')
  const downSince = performance.now()
  // The first record after it: nothing else holds it up.
  await flow.source`INSERT INTO accounts (id, name) VALUES (7777, 'while it is down')`
  const arrived = async () => (await flow.warehouse`SELECT FROM accounts WHERE id = 7777`).length === 1
  const sessions = startSessions(flow, SEED + 1, 2)
  await eventually(() => performance.now() - downSince > DOWN_MS, 'Redis was down for long enough')
  expect(await arrived()).toBe(false)
  await stack.restart('redis')
  await eventually(arrived, 'what was committed meanwhile arrives')
  expect(await redis.dbsize(), 'the ledger is as it was').toBeGreaterThan(30)
  await expectEquality({ ...scene, sessions })
})

test(`a ledger that is frozen, and carries out late what was given up, loses nothing (SEED=${SEED})`, {
  timeout,
}, async () => {
  const scene = await startScene()
  const { stack, sessions } = scene
  const { services } = await stackStatus({ dataDir: stack.dataDir, env: {} })
  const { pid } = services.find(({ name }) => name === 'redis')!
  for (let times = 0; times < 2; times++) {
    const frozenSince = performance.now()
    process.kill(pid!, 'SIGSTOP')
    try {
      await eventually(() => performance.now() - frozenSince > FROZEN_MS, 'Redis was frozen for long enough')
    } finally {
      process.kill(pid!, 'SIGCONT')
    }
    await untilMoreIsDone(sessions, 30)
  }
  await expectEquality(scene)
})

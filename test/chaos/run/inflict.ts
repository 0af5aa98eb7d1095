import { randomUUID } from 'node:crypto'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import type { Misbehaviour } from '../../../connectors/http/sandbox-server.ts'
import { pause } from '../../../connectors/pause.ts'
import { request } from '../../../connectors/postgres/request.ts'
import { stackStatus } from '../../../ops/stack/stack.ts'
import type { Random } from '../workload/random.ts'
import type { PlannedFault } from './faults.ts'
import type { BrokenServers, Scene } from './scene.ts'

/** How a fault is ended. */
export type Heal = () => Promise<void> | void

const FROZEN_BROKER_MS_MAX = 8_000
const PRODUCE_DELAY_MS_MAX = 6_000
/** Beyond the time-out of a request, and within the time after which none may take effect any more (scene.ts). */
const SLOW_MS_MAX = 7_000
const CRASHES = 4
const CRASH_EVERY_MS = 700
const STORM_MEMBERS = 3
/** Some that change all the time, and many that change rarely: theirs are the dead letters that wait for someone. */
const REFUSED_KEYS = [
  ...['1', '2', '3', '1001', '1002', '["p1","i1"]', '["p2","i2"]'],
  ...Array.from({ length: 60 }, (_, at) => String(100 + at)),
]

const SEARCH: Readonly<Record<string, (random: Random) => Misbehaviour>> = {
  failing: (random) => ({ status: random.oneOf([500, 502, 503]) }),
  'failing-applied': () => ({ status: 500, applied: true }),
  throttling: () => ({ throttle: { retryAfterSeconds: 1, after: 5 } }),
  slow: (random) => ({ latencyMs: 300 + random.below(SLOW_MS_MAX) }),
  'reset-before': () => ({ reset: 'before' }),
  'reset-after': () => ({ reset: 'after' }),
  hanging: (random) => ({ hang: random.oneOf(['before', 'after']) }),
  refusing: () => ({ rejectKeys: REFUSED_KEYS }),
  down: () => ({ down: true }),
}

/** Does it, and says how it is ended. What is over at once is ended by nothing. */
export async function inflict(
  scene: Scene,
  { kind, target }: PlannedFault,
  random: Random,
  over: AbortSignal,
): Promise<Heal> {
  const { flow, members, store, servers, ways } = scene
  const nothing = () => {}
  const misbehaviour = SEARCH[kind]
  if (misbehaviour !== undefined) {
    await store.misbehave(misbehaviour(random))
    return () => store.misbehave({})
  }
  switch (kind) {
    case 'kill':
      members.kill(target)
      return nothing
    case 'terminate':
      members.terminate(target)
      return nothing
    case 'crash-loop': {
      const looping = loop(CRASHES, CRASH_EVERY_MS, over, () => members.kill(target))
      return () => looping
    }
    case 'freeze':
      members.freeze(target)
      return () => members.thaw()
    case 'rebalance-storm': {
      const leaving: Promise<void>[] = []
      const storm = loop(STORM_MEMBERS, CRASH_EVERY_MS, over, () => {
        const leave = members.add(target)
        leaving.push(pause(2 * CRASH_EVERY_MS, over).then(leave))
      })
      return async () => {
        await storm
        await Promise.all(leaving)
      }
    }
    case 'cut-kafka':
      ways.get(target)!.cut()
      return nothing
    case 'stall-kafka':
      ways.get(target)!.stall()
      return () => ways.get(target)!.heal()
    case 'lose-produce-answers':
      ways.get('capture')!.loseAnswers(1 + random.below(8))
      return () => ways.get('capture')!.heal()
    case 'delay-produce':
      ways.get('capture')!.delaySend(1 + random.below(PRODUCE_DELAY_MS_MAX))
      return nothing
    case 'cut-source':
      await flow.source`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
        WHERE database = current_database() AND active`
      return nothing
    case 'cut-sessions':
      await flow.source`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'tributary %'`
      return nothing
    case 'snapshot': {
      const entity = random.oneOf([...flow.declaration().entities.keys()])
      await request(flow.sourceUrl, 'erp', [{ kind: 'snapshot', id: randomUUID(), entity, where: [] }])
      return nothing
    }
    case 'truncate':
      await flow.source
        .unsafe(`TRUNCATE ${random.oneOf(['accounts', 'articles', 'stock'])}`)
        .catch((error: unknown) => {
          // A deadlock with a session.
          if ((error as { code?: string }).code !== '40P01') throw error
        })
      return nothing
    case 'freeze-broker':
      return await freezeServer(servers, 'kafka', random.below(FROZEN_BROKER_MS_MAX), over)
    case 'kill-broker':
      await servers.kill('kafka')
      return () => servers.restart('kafka')
    case 'freeze-ledger':
      return await freezeServer(servers, 'redis', Number.POSITIVE_INFINITY, over)
    case 'kill-ledger':
      await servers.kill('redis')
      return () => servers.restart('redis')
    case 'flush-ledger':
      await withRedis(servers, (redis) => redis.flushall())
      return nothing
    case 'cut-ledger':
      await withRedis(servers, (redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'))
      return nothing
    case 'set-back-ledger': {
      const log = join(servers.dataDir, 'redis', 'appendonly.aof')
      await copyFile(log, `${log}.copy`)
      return async () => {
        await servers.kill('redis')
        await copyFile(`${log}.copy`, log)
        await servers.restart('redis')
      }
    }
    case 'cut-warehouse':
      await flow.warehouse`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'tributary/%'`
      return nothing
    case 'lock-warehouse':
      return await lockWarehouse(flow.warehouseUrl)
    default:
      throw new Error(`nobody knows how to do ${kind}`)
  }
}

async function loop(times: number, everyMs: number, over: AbortSignal, act: () => void): Promise<void> {
  for (let done = 0; done < times && !over.aborted; done++) {
    act()
    await pause(everyMs, over)
  }
}

async function freezeServer(
  servers: BrokenServers,
  name: 'kafka' | 'redis',
  forMs: number,
  over: AbortSignal,
): Promise<Heal> {
  const { services } = await stackStatus({ dataDir: servers.dataDir, env: {} })
  const pid = services.find((service) => service.name === name)?.pid
  // It may be dead by another fault.
  if (pid === undefined) return () => {}
  process.kill(pid, 'SIGSTOP')
  const thaw = () => {
    try {
      process.kill(pid, 'SIGCONT')
    } catch {
      // It was killed meanwhile.
    }
  }
  const thawing = Number.isFinite(forMs) ? pause(forMs, over).then(thaw) : null
  return async () => {
    await thawing
    thaw()
  }
}

async function withRedis(servers: BrokenServers, act: (redis: Redis) => Promise<unknown>): Promise<void> {
  const redis = new Redis(servers.addresses.redisUrl, {
    maxRetriesPerRequest: 1,
    connectTimeout: 2_000,
    commandTimeout: 2_000,
  })
  redis.on('error', () => {})
  try {
    // One that is frozen or dead by another fault is left alone.
    await act(redis).catch(() => {})
  } finally {
    redis.disconnect()
  }
}

/** Every table of the warehouse is locked, as by a migration: statements wait until they are called off. */
async function lockWarehouse(url: string): Promise<Heal> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql.unsafe('BEGIN; LOCK TABLE accounts, articles, stock, documents IN ACCESS EXCLUSIVE MODE')
  return async () => {
    await sql.unsafe('ROLLBACK')
    await sql.end()
  }
}

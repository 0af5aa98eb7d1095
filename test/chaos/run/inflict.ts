import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import type { Misbehaviour } from '../../../connectors/http/sandbox-server.ts'
import { pause } from '../../../connectors/pause.ts'
import { request } from '../../../connectors/postgres/request.ts'
import { stackStatus } from '../../../ops/stack/stack.ts'
import { clockOff } from '../../support/clock-settings.ts'
import { leaveNoRoom } from '../../support/servers/no-room.ts'
import { copyRedis } from '../../support/servers/redis-log.ts'
import type { Random } from '../workload/random.ts'
import type { PlannedFault } from './faults.ts'
import {
  addColumn,
  bigTransaction,
  dropSlot,
  type Heal,
  invalidateSlot,
  killSource,
  restoreSource,
  rewriteTable,
  tryAtSource,
  widenType,
} from './inflict-source.ts'
import type { BrokenServers, Scene } from './scene.ts'

const FROZEN_BROKER_MS_MAX = 8_000
const PRODUCE_DELAY_MS_MAX = 6_000
/** Beyond the time-out of a request, and within the time after which none may take effect any more (scene.ts). */
const SLOW_MS_MAX = 7_000
const CRASHES = 4
const CRASH_EVERY_MS = 700
const STORM_MEMBERS = 3
/** A little more than an hour. */
const CLOCK_OFF_MS = 3_700_000
const BYTES_LEFT_MAX = 100_000
/** Some that change all the time, and many that change rarely: theirs are the dead letters that wait for someone. */
const REFUSED_KEYS = [
  ...['1', '2', '3', '1001', '1002', '["p1","i1"]', '["p2","i2"]'],
  ...Array.from({ length: 60 }, (_, at) => String(100 + at)),
]

const SYSTEMS: Readonly<Record<string, (random: Random) => Misbehaviour>> = {
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
  const { flow, members, store, vendor, registry, servers, ways } = scene
  const nothing = () => {}
  const misbehaviour = SYSTEMS[kind]
  if (misbehaviour !== undefined) {
    const system = target === 'vendor' ? vendor : store
    await system.misbehave(misbehaviour(random))
    return () => system.misbehave({})
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
      await tryAtSource(scene, `TRUNCATE ${random.oneOf(['accounts', 'articles', 'stock'])}`)
      return nothing
    case 'add-column':
      return await addColumn(scene, random)
    case 'widen-type':
      await widenType(scene, random)
      return nothing
    case 'rewrite-table':
      await rewriteTable(scene, random)
      return nothing
    case 'big-transaction':
      return bigTransaction(scene, random, over)
    case 'kill-source':
      return await killSource(scene)
    case 'drop-slot':
      return await dropSlot(scene)
    case 'invalidate-slot':
      return await invalidateSlot(scene)
    case 'restore-source':
      return await restoreSource(scene)
    case 'registry-away':
    case 'registry-silent':
      registry.become(kind === 'registry-away' ? 'away' : 'silent')
      // Who runs has what it needs; who starts has not.
      members.kill(random.oneOf(members.names))
      return () => registry.become(null)
    case 'clock-off':
      members.restartWith(target, clockOff(random.chance(0.5) ? CLOCK_OFF_MS : -CLOCK_OFF_MS))
      return () => members.terminate(target)
    case 'failing-class':
      store.failEntities(scene.standardEntities)
      return () => store.failEntities([])
    case 'fill-broker':
      return await fill(servers, 'kafka', random)
    case 'fill-ledger':
      return await fill(servers, 'redis', random)
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
    case 'set-back-ledger':
      return (await copyRedis(servers)).setBack
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

/** Its disk is full: it can write no more to its files than a little. */
async function fill(servers: BrokenServers, name: 'kafka' | 'redis', random: Random): Promise<Heal> {
  const ran = await leaveNoRoom(servers.dataDir, name, random.below(BYTES_LEFT_MAX))
  return ran ? () => servers.restart(name) : () => {}
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

import { Redis } from 'ioredis'
import { groupsOf } from '../../ops/process/delivery.ts'
import { type Flow, required } from './flow.ts'

const AGE_MS = 3_600_000
const NOBODY = '0'.repeat(16)

/** The Redis of a flow. */
export function openRedis(flow: Flow): Redis {
  return new Redis(flow.env.TRIBUTARY_REDIS_URL ?? required('TRIBUTARY_REDIS_URL'))
}

/**
 * Makes a ledger that nobody has used look as if it had begun long ago (its form: consumers/ledger/claim.lua). One that has only begun takes
 * every key as uncertain until no request of before can land, so for a minute all patches are full, and full patches hide most of
 * what can go wrong.
 */
export async function ageLedger(flow: Flow): Promise<void> {
  const { subscribers, entities, name } = flow.declaration()
  const redis = openRedis(flow)
  try {
    const runId = /^run_id:(\w{8})/m.exec(await redis.info('server'))![1]!
    for (const subscriber of subscribers.values())
      for (const { routes } of groupsOf(flow.declaration(), subscriber))
        for (const { mapping } of routes) {
          const { partitions } = entities.get(mapping.entity.name)!
          for (let partition = 0; partition < partitions; partition++)
            await redis.set(
              `tributary:${name}:{${subscriber.name}/${mapping.entity.name}/${partition}}:owner`,
              NOBODY + String(Date.now() - AGE_MS).padStart(14, '0') + runId,
            )
        }
  } finally {
    redis.disconnect()
  }
}

import { pause } from '../../../connectors/pause.ts'
import type { Flow } from '../../support/flow.ts'
import { openRedis } from '../../support/old-ledger.ts'
import type { Fleet } from './fleet.ts'
import type { Random } from './random.ts'

export type Fault =
  | { readonly kind: 'kill' | 'freeze'; readonly member: string; readonly forMs: number }
  | { readonly kind: 'forget-ledger' | 'cut-source' | 'cut-warehouse'; readonly forMs: number }

/** Longer than the group waits for a member (consumers/pipeline.ts), so that a frozen one wakes up replaced. */
const FROZEN_MS = 12_000
const BETWEEN_MS_MAX = 2_500

const KINDS = ['kill', 'kill', 'kill', 'kill', 'freeze', 'cut-source', 'cut-warehouse'] as const

/**
 * The next fault, and how long until the one after it.
 * @param forgetful whether the ledger may be lost: for a minute after that all patches are full, which hides other faults
 */
export function planFault(random: Random, members: readonly string[], forgetful: boolean): Fault {
  const forMs = random.below(BETWEEN_MS_MAX)
  if (forgetful && random.chance(0.12)) return { kind: 'forget-ledger', forMs }
  const kind = random.oneOf(KINDS)
  if (kind === 'kill') return { kind, member: random.oneOf(members), forMs }
  if (kind === 'freeze') return { kind, member: random.oneOf(members), forMs: FROZEN_MS }
  return { kind, forMs }
}

export async function inflict(flow: Flow, fleet: Fleet, fault: Fault, signal: AbortSignal): Promise<void> {
  switch (fault.kind) {
    case 'kill':
      await fleet.replace(fault.member)
      break
    case 'freeze':
      fleet.freeze(fault.member)
      break
    case 'forget-ledger':
      await forgetLedger(flow)
      break
    case 'cut-source':
      await flow.source`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
        WHERE database = current_database() AND active`
      break
    case 'cut-warehouse':
      await flow.warehouse`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'tributary/%'`
  }
  await pause(fault.forMs, signal)
  if (fault.kind === 'freeze') fleet.heal()
}

/** Removes this flow's keys, and no other's, in one step as FLUSHALL would. */
export async function forgetLedger(flow: Flow): Promise<void> {
  const redis = openRedis(flow)
  try {
    const script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end"
    await redis.eval(script, 0, `tributary:${flow.prefix}:*`)
  } finally {
    redis.disconnect()
  }
}

import { formatSize } from '../../../connectors/postgres/slot/retention.ts'
import type { LedgerServerState } from '../../../consumers/ledger/server-state.ts'
import { seconds } from '../../cli/table.ts'
import { type Finding, fail, ok, warn } from '../finding.ts'

const SUBJECT = 'redis'
/** The scripts keep the time to live of an entry (`SET … KEEPTTL`), which is new in 6.0. */
const VERSION_MIN = 6

/** Whether the server can run the ledger's scripts. Pure. */
export function decideLedgerServer({ version, startedAtMs }: LedgerServerState, nowMs: number): readonly Finding[] {
  const name = 'ledger-server'
  if (Number.parseInt(version, 10) < VERSION_MIN)
    return [fail(name, SUBJECT, `Redis ${version}: the ledger needs 6.0 or newer`, 'Upgrade Redis to 6.0 or newer')]
  return [ok(name, SUBJECT, `Redis ${version}, up for ${seconds((nowMs - startedAtMs) / 1000)}`)]
}

/** Whether entries can be dropped, or were. @param cli how redis-cli is called for this server. Pure. */
export function decideEviction(state: LedgerServerState, cli: string): readonly Finding[] {
  const name = 'ledger-eviction'
  const { policy, limitBytes, evictedKeys } = state
  const set = `${cli} CONFIG SET maxmemory-policy noeviction\nand the same in redis.conf`
  const dropped = evictedKeys > 0 ? `, and ${evictedKeys} entries were dropped since it started` : ''
  if (policy !== 'noeviction' && limitBytes !== null) {
    const found = `maxmemory-policy is ${policy}${dropped}: with an entry goes the order of its key, and its next patch is full`
    return [fail(name, SUBJECT, found, set)]
  }
  if (policy !== 'noeviction') {
    const found = `maxmemory-policy is ${policy}${dropped}: nothing is dropped as long as there is no maxmemory`
    return [warn(name, SUBJECT, found, set)]
  }
  if (evictedKeys > 0) {
    const found = `maxmemory-policy is noeviction now${dropped}: each of them costs a full patch`
    return [
      warn(
        name,
        SUBJECT,
        found,
        `Nothing, if it was before the policy was set. It is forgotten with: ${cli} CONFIG RESETSTAT`,
      ),
    ]
  }
  return [ok(name, SUBJECT, 'maxmemory-policy noeviction, nothing was dropped')]
}

/** What a crash of Redis would lose. Pure. */
export function decidePersistence({ appendOnly, savesWell }: LedgerServerState, cli: string): readonly Finding[] {
  const name = 'ledger-persistence'
  if (!savesWell)
    return [
      fail(
        name,
        SUBJECT,
        'the last write to disk failed: Redis takes no writes by default then, and delivery waits',
        `Look for a full disk in the log of Redis. Then: ${cli} BGSAVE`,
      ),
    ]
  if (appendOnly) return [ok(name, SUBJECT, 'append-only file, the last write went well')]
  return [
    warn(
      name,
      SUBJECT,
      'appendonly is off: a crash loses all since the last snapshot, and every record read from then on is sent in full',
      `${cli} CONFIG SET appendonly yes\nand the same in redis.conf`,
    ),
  ]
}

/** Full, it refuses writes, and delivery waits. */
const WARN_SHARE = 0.8
const FAIL_SHARE = 0.95

/** How much memory is left. Pure. */
export function decideMemory({ usedBytes, limitBytes }: LedgerServerState, cli: string): readonly Finding[] {
  const name = 'ledger-memory'
  if (limitBytes === null) return [ok(name, SUBJECT, `${formatSize(usedBytes)} used, no maxmemory`)]
  const share = usedBytes / limitBytes
  const found = `${formatSize(usedBytes)} of ${formatSize(limitBytes)} used (${Math.round(share * 100)} %)`
  if (share < WARN_SHARE) return [ok(name, SUBJECT, found)]
  const more = Math.ceil((limitBytes * 2) / 1024 ** 2)
  const tell = share >= FAIL_SHARE ? fail : warn
  const why = 'full, it takes no writes, and delivery waits'
  return [tell(name, SUBJECT, `${found}: ${why}`, `${cli} CONFIG SET maxmemory ${more}mb\nand the same in redis.conf`)]
}

/** What a Redis server says of itself, as far as a ledger depends on it. */
export interface LedgerServerState {
  readonly version: string
  readonly startedAtMs: number
  /** Entries that it dropped for want of memory since it started. */
  readonly evictedKeys: number
  readonly usedBytes: number
  /** null without a limit. */
  readonly limitBytes: number | null
  readonly policy: string
  /** Whether each write goes to a log on disk; without it a crash loses all since the last snapshot. */
  readonly appendOnly: boolean
  /** Whether its last write to disk went well. */
  readonly savesWell: boolean
}

/**
 * Reads the answer to INFO, lines of `name:value` (Redis documentation, INFO).
 * @returns null when it is none
 */
export function parseServerState(info: string, nowMs: number): LedgerServerState | null {
  const facts = new Map<string, string>()
  for (const line of info.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) facts.set(line.slice(0, colon), line.slice(colon + 1))
  }
  const number = (name: string) => Number(facts.get(name) ?? Number.NaN)
  const upSeconds = number('uptime_in_seconds')
  if (Number.isNaN(upSeconds)) return null
  const limitBytes = number('maxmemory')
  const wentWell = (name: string) => (facts.get(name) ?? 'ok') === 'ok'
  return {
    version: facts.get('redis_version') ?? 'unknown',
    startedAtMs: nowMs - upSeconds * 1000,
    evictedKeys: number('evicted_keys') || 0,
    usedBytes: number('used_memory') || 0,
    limitBytes: limitBytes > 0 ? limitBytes : null,
    policy: facts.get('maxmemory_policy') ?? 'unknown',
    appendOnly: facts.get('aof_enabled') === '1',
    savesWell: wentWell('rdb_last_bgsave_status') && wentWell('aof_last_write_status'),
  }
}

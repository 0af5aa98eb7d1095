import { expect, test } from 'vitest'
import { parseServerState } from '../../../consumers/ledger/server-state.ts'

const INFO = [
  '# Server',
  'redis_version:7.2.4',
  'uptime_in_seconds:100',
  '# Memory',
  'used_memory:2000',
  'maxmemory:4000',
  'maxmemory_policy:noeviction',
  '# Persistence',
  'rdb_last_bgsave_status:ok',
  'aof_enabled:1',
  'aof_last_write_status:ok',
  '# Stats',
  'evicted_keys:3',
]
const read = (...more: string[]) => parseServerState([...INFO, ...more, ''].join('\r\n'), 1_000_000)

test('says since when it runs, what it may use, and what it drops', () => {
  expect(read()).toEqual({
    version: '7.2.4',
    startedAtMs: 900_000,
    evictedKeys: 3,
    usedBytes: 2000,
    limitBytes: 4000,
    policy: 'noeviction',
    appendOnly: true,
    savesWell: true,
  })
})

test('a limit of 0 is none, and one write that failed is told', () => {
  expect(read('maxmemory:0')).toMatchObject({ limitBytes: null })
  expect(read('aof_last_write_status:err')).toMatchObject({ savesWell: false })
  expect(read('rdb_last_bgsave_status:err')).toMatchObject({ savesWell: false })
})

test('what is no answer to INFO is none', () => {
  expect(parseServerState('OK', 0)).toBeNull()
})

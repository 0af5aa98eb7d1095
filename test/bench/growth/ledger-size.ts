import { Redis } from 'ioredis'
import { Ledger } from '../../../consumers/ledger/ledger.ts'
import { eventually, required } from '../../support/flow.ts'
import { type BenchPipeline, SUBSCRIBER } from '../support/bench-pipeline.ts'
import { ENTITY } from '../support/workload.ts'

/** Makes the ledger of the first subscriber larger and smaller, and tells what that costs. */
export interface LedgerSize {
  /** To so many keys, those of the rows included. */
  resize(keys: number): Promise<void>
  /** What Redis holds, in MB, beyond what it held when this was opened. */
  memoryMb(): Promise<number>
  /** How long it takes to list the keys of one partition, as a sweep does. */
  listSeconds(): Promise<number>
  close(): void
}

const CHUNK_KEYS = 20_000
/** No row has such a number. */
const FIRST_FILLER = 1_000_000
/** A rewrite of a log of some gigabytes. */
const REWRITE_MS_MAX = 120_000
const DELETED_KEEP_MS = 3_600_000

/**
 * Keys ARGV[1] to ARGV[2], spread over ARGV[4] partitions, get the value ARGV[5], or go when it is empty. ARGV[3] is what all their names
 * begin with, up to the partition.
 */
const FILL_SCRIPT = `
for i = ARGV[1], ARGV[2] do
  local name = ARGV[3] .. (i % ARGV[4]) .. '}:key:' .. string.format('%.0f', i)
  if ARGV[5] == '' then redis.call('UNLINK', name) else redis.call('SET', name, ARGV[5]) end
end`

/**
 * The keys that are added have the entry of a row that was delivered, byte for byte as the scripts wrote it; a script in Redis writes it,
 * since five million settles would take minutes.
 */
export async function openLedgerSize(pipeline: BenchPipeline, partitions: number, rows: number): Promise<LedgerSize> {
  const { prefix } = pipeline.flow
  const url = required('TRIBUTARY_REDIS_URL')
  const redis = new Redis(url)
  const scopes = `tributary:${prefix}:{${SUBSCRIBER}/${ENTITY}/`
  let fillers = 0
  const info = async (section: string, name: string) =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await redis.info(section))![1])
  const memoryBefore = await info('memory', 'used_memory')

  const entryOfRow = async () => {
    const names = Array.from({ length: partitions }, (_, partition) => `${scopes}${partition}}:key:1`)
    const entry = (await redis.mget(names)).find((value) => value !== null)
    if (entry == null) throw new Error('the ledger has no entry of row 1')
    return entry
  }
  const write = async (first: number, last: number, value: string) => {
    for (let from = first; from <= last; from += CHUNK_KEYS)
      await redis.eval(FILL_SCRIPT, 0, from, Math.min(last, from + CHUNK_KEYS - 1), scopes, partitions, value)
  }

  return {
    async resize(keys) {
      const wanted = keys - rows
      if (wanted > fillers) await write(FIRST_FILLER + fillers, FIRST_FILLER + wanted - 1, await entryOfRow())
      else await write(FIRST_FILLER + wanted, FIRST_FILLER + fillers - 1, '')
      fillers = wanted
      await eventually(
        async () => (await info('persistence', 'aof_rewrite_in_progress')) === 0,
        'Redis has rewritten its log',
        REWRITE_MS_MAX,
      )
    },
    async memoryMb() {
      return ((await info('memory', 'used_memory')) - memoryBefore) / 2 ** 20
    },
    async listSeconds() {
      const ledger = new Ledger({
        url,
        prefix,
        comparesVersions: true,
        lateRequestMs: 0,
        deletedKeepMs: DELETED_KEEP_MS,
        log: () => {},
      })
      await ledger.connect()
      try {
        const startedAt = performance.now()
        let keys = 0
        for await (const some of ledger.liveKeys({ subscriber: SUBSCRIBER, entity: ENTITY, partition: 0 }))
          keys += some.length
        if (keys < Math.floor(fillers / partitions))
          throw new Error(`the ledger lists ${keys} keys of one partition only`)
        return (performance.now() - startedAt) / 1000
      } finally {
        ledger.close()
      }
    },
    close() {
      redis.disconnect()
    },
  }
}

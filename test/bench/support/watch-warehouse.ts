import type postgres from 'postgres'
import { type LoadOptions, now, type Sent, sendLoad } from './load.ts'

const POLL_MS = 50

/**
 * Tells, at each commit that changes a row in the warehouse, whose it was: seen by whoever listens, whatever wrote it. The benchmark's
 * own addition to the table.
 */
const WATCH_SQL = `
CREATE OR REPLACE FUNCTION bench_seen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('bench_seen', NEW.customer_id::text); RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER bench_seen AFTER INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION bench_seen();
`
const UNWATCH_SQL = 'DROP FUNCTION bench_seen CASCADE'

/** What became of a load, in ms of this machine's clock. */
export interface SeenLoad {
  /** From when each change was due until it was seen, the source's own commit included. */
  readonly dueToSeenMs: readonly number[]
  /** When each of these was due, ms since 1970. */
  readonly dueAtMs: readonly number[]
  /** From when its commit was confirmed. */
  readonly commitToSeenMs: readonly number[]
  /** For each of those that were not seen, from when it was due until they were given up. */
  readonly dueToEndMs: readonly number[]
  readonly reachedRate: number
}

export interface WarehouseWatch {
  /** Sends the load and waits until each of its changes was seen, or `settleMsMax` has passed since the last was sent. */
  measure(
    source: postgres.Sql,
    load: LoadOptions,
    settleMsMax: number,
    onSeen?: (changes: number) => void,
  ): Promise<SeenLoad>
  stop(): Promise<void>
}

/** Listens for what is changed in the warehouse, apart from what the pipeline itself says. */
export async function watchWarehouse(warehouse: postgres.Sql): Promise<WarehouseWatch> {
  await warehouse.unsafe(WATCH_SQL)
  const seen = new Map<string, number>()
  const listener = await warehouse.listen('bench_seen', (key) => seen.set(key, now()))
  return {
    async measure(source, load, settleMsMax, onSeen = () => {}) {
      const dueToSeenMs: number[] = []
      const dueAtMs: number[] = []
      const commitToSeenMs: number[] = []
      const open = new Map<string, Sent>()
      const collect = () => {
        for (const [key, sent] of open) {
          const at = seen.get(key)
          if (at === undefined) continue
          dueToSeenMs.push(at - sent.dueAtMs)
          dueAtMs.push(sent.dueAtMs)
          commitToSeenMs.push(at - sent.committedAtMs)
          open.delete(key)
          seen.delete(key)
        }
        onSeen(dueToSeenMs.length)
      }
      seen.clear()
      const timer = setInterval(collect, POLL_MS)
      const startedAt = performance.now()
      await sendLoad(source, load, (key, sent) => open.set(key, sent))
      const sendingMs = performance.now() - startedAt
      const deadline = performance.now() + settleMsMax
      while (open.size > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      clearInterval(timer)
      collect()
      const endedAtMs = now()
      return {
        dueToSeenMs,
        dueAtMs,
        commitToSeenMs,
        dueToEndMs: [...open.values()].map(({ dueAtMs }) => endedAtMs - dueAtMs),
        reachedRate: (load.rate * load.seconds) / (sendingMs / 1000),
      }
    },
    async stop() {
      await listener.unlisten()
      await warehouse.unsafe(UNWATCH_SQL)
    },
  }
}

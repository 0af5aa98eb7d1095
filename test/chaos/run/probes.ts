import { pause } from '../../../connectors/pause.ts'
import { isAway } from '../workload/away.ts'
import { STALE_PLAN } from '../workload/sessions.ts'
import type { Scene } from './scene.ts'

/** Accounts and an article that change all the time, whatever else happens; accounts with a personal value in them. */
export interface Probes {
  /** Waits until a change that is made from now on has reached each of these destinations. */
  untilSeen(destinations: readonly string[], signal: AbortSignal): Promise<void>
  stop(): Promise<void>
}

const KEYS = 8
const FIRST_KEY = 1_001
const EVERY_MS = 300
const POLL_MS = 200
const NOT_NOW = new Set(['40P01', STALE_PLAN])

export function startProbes({ flow, store, vendor, canary }: Scene): Probes {
  const end = new AbortController()
  let number = 0
  const work = async () => {
    while (!end.signal.aborted) {
      const key = FIRST_KEY + (number % KEYS)
      const name = `${canary} ${number + 1}`
      const isDone = await change(key, name, number + 1)
        .then(() => true)
        .catch((error: unknown) => {
          // A deadlock with what changes tables, or the server is away.
          if (isAway(error) || NOT_NOW.has((error as { code?: string }).code ?? '')) return false
          throw error
        })
      if (isDone) number++
      await pause(EVERY_MS, end.signal)
    }
  }
  const change = async (key: number, name: string, revision: number) => {
    await flow.source`INSERT INTO accounts VALUES (${key}, ${name}, ${revision}, true)
      ON CONFLICT (id) DO UPDATE SET name = excluded.name, balance = excluded.balance`
    await flow.source`INSERT INTO articles VALUES (${FIRST_KEY}, ${`probe ${revision}`}, 'short', ${revision})
      ON CONFLICT (id) DO UPDATE SET title = excluded.title, revision = excluded.revision`
  }
  const working = work()
  working.catch(() => {})

  const newestAt = async (destination: string): Promise<number> => {
    if (destination === 'vendor') {
      const title = vendor.state().find(({ key }) => key === String(FIRST_KEY))?.fields.title
      return Number(title?.split(' ')[1] ?? 0)
    }
    const names =
      destination === 'warehouse'
        ? (await flow.warehouse<{ name: string }[]>`SELECT name FROM accounts WHERE id >= ${FIRST_KEY}`).map(
            ({ name }) => name,
          )
        : store
            .state()
            .flatMap(({ entity, key, fields }) =>
              entity === 'account' && Number(key) >= FIRST_KEY ? [fields.name] : [],
            )
    return Math.max(0, ...names.map((name) => Number(name?.split(' ')[1] ?? 0)))
  }
  return {
    async untilSeen(destinations, signal) {
      const from = number
      for (const destination of destinations)
        while (!signal.aborted && (await newestAt(destination).catch(() => 0)) <= from) await pause(POLL_MS, signal)
    },
    async stop() {
      end.abort()
      await working
    },
  }
}

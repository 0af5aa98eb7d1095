import { pause } from '../../../connectors/pause.ts'
import { isAway } from '../workload/away.ts'
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

export function startProbes({ flow, store, vendor, canary }: Scene): Probes {
  const end = new AbortController()
  let number = 0
  const work = async () => {
    while (!end.signal.aborted) {
      const key = FIRST_KEY + (number % KEYS)
      const name = `${canary} ${number + 1}`
      const isDone = await flow.source
        .begin(async (sql) => {
          await sql`INSERT INTO accounts VALUES (${key}, ${name}, ${number}, true)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, balance = excluded.balance`
          await sql`INSERT INTO articles VALUES (${FIRST_KEY}, ${`probe ${number + 1}`}, 'short', ${number})
            ON CONFLICT (id) DO UPDATE SET title = excluded.title, revision = excluded.revision`
        })
        .then(() => true)
        .catch((error: unknown) => {
          // A deadlock with what changes tables, or the server is away.
          if (isAway(error) || (error as { code?: string }).code === '40P01') return false
          throw error
        })
      if (isDone) number++
      await pause(EVERY_MS, end.signal)
    }
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

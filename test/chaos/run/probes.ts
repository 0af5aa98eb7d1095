import { pause } from '../../../connectors/pause.ts'
import type { Scene } from './scene.ts'

/** Accounts that change all the time, whatever else happens, each with a personal value in it. */
export interface Probes {
  /** Waits until a change that is made from now on has reached each of these destinations. */
  untilSeen(destinations: readonly string[], signal: AbortSignal): Promise<void>
  stop(): Promise<void>
}

const KEYS = 8
const FIRST_KEY = 1_001
const EVERY_MS = 300
const POLL_MS = 200

export function startProbes({ flow, store, canary }: Scene): Probes {
  const end = new AbortController()
  let number = 0
  const work = async () => {
    while (!end.signal.aborted) {
      const key = FIRST_KEY + (number % KEYS)
      const name = `${canary} ${number + 1}`
      await flow.source`INSERT INTO accounts VALUES (${key}, ${name}, ${number}, true)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, balance = excluded.balance`
      number++
      await pause(EVERY_MS, end.signal)
    }
  }
  const working = work()
  working.catch(() => {})

  const newestAt = async (destination: string): Promise<number> => {
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

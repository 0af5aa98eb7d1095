import postgres from 'postgres'
import { pause } from '../../../connectors/pause.ts'
import type { Flow } from '../../support/flow.ts'
import { planTransaction } from './plan.ts'
import { seededRandom } from './random.ts'

export interface Sessions {
  /** How many transactions were ended as planned, and how many the server refused (a deadlock, a key that was taken). */
  readonly done: () => { readonly ended: number; readonly refused: number }
  /** Lets each session end its transaction, and closes the connections. */
  stop(): Promise<void>
}

/** What the server may refuse in a workload whose sessions do not wait for each other. */
const REFUSALS = new Set(['23505', '40P01', '40001', '57P01'])
const THINKING_MS_MAX = 25

/** Starts concurrent sessions at the source, each with its own plan of the seed. */
export function startSessions(flow: Flow, seed: number, count: number): Sessions {
  const stop = new AbortController()
  let ended = 0
  let refused = 0
  const session = async (name: string) => {
    const random = seededRandom(seed, name)
    const sql = postgres(flow.sourceUrl, { max: 1, onnotice: () => {} })
    try {
      while (!stop.signal.aborted) {
        try {
          await runTransaction(sql, planTransaction(random))
          ended++
        } catch (error) {
          const code = (error as { code?: string }).code ?? ''
          if (!REFUSALS.has(code)) throw error
          refused++
        }
        await pause(random.below(THINKING_MS_MAX), stop.signal)
      }
    } finally {
      await sql.end()
    }
  }
  const all = Promise.all(Array.from({ length: count }, (_, at) => session(`session ${at}`)))
  all.catch(() => stop.abort())
  return {
    done: () => ({ ended, refused }),
    async stop() {
      stop.abort()
      await all
    },
  }
}

async function runTransaction(sql: postgres.Sql, statements: readonly string[]): Promise<void> {
  try {
    for (const statement of statements) await sql.unsafe(statement)
  } catch (error) {
    await sql.unsafe('ROLLBACK')
    throw error
  }
}

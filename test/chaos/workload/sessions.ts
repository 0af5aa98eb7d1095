import postgres from 'postgres'
import { pause } from '../../../connectors/pause.ts'
import type { Flow } from '../../support/flow.ts'
import { isAway, withinTime } from './away.ts'
import { planTransaction } from './plan.ts'
import { seededRandom } from './random.ts'

export interface Sessions {
  /** How many transactions were ended as planned, and how many the server refused (a deadlock, a key that was taken). */
  readonly done: () => { readonly ended: number; readonly refused: number }
  /** Lets each session end its transaction, and closes the connections. */
  stop(): Promise<void>
}

/** The type of a column was changed, and the history's trigger is planned for the former one as long as its session lasts. */
export const STALE_PLAN = '42804'
/** What the server may refuse in a workload whose sessions do not wait for each other. */
const REFUSALS = new Set(['23505', '40P01', '40001', STALE_PLAN])
const THINKING_MS_MAX = 25
/** Far beyond what locks make it wait. */
const TRANSACTION_MS_MAX = 30_000
const AGAIN_AFTER_MS = 300

/** Starts concurrent sessions at the source, each with its own plan of the seed. */
export function startSessions(flow: Flow, seed: number, count: number): Sessions {
  const stop = new AbortController()
  let ended = 0
  let refused = 0
  const session = async (name: string) => {
    const random = seededRandom(seed, name)
    const open = () => postgres(flow.sourceUrl, { max: 1, onnotice: () => {} })
    let sql = open()
    try {
      while (!stop.signal.aborted) {
        try {
          await withinTime(runTransaction(sql, planTransaction(random)), TRANSACTION_MS_MAX)
          ended++
        } catch (error) {
          const code = (error as { code?: string }).code ?? ''
          if (!REFUSALS.has(code) && !isAway(error)) throw error
          refused++
          if (!isAway(error) && code !== STALE_PLAN) continue
          await sql.end({ timeout: 0 })
          await pause(AGAIN_AFTER_MS, stop.signal)
          sql = open()
        }
        await pause(random.below(THINKING_MS_MAX), stop.signal)
      }
    } finally {
      await sql.end({ timeout: 5 })
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
    // It may have gone with its connection.
    await sql.unsafe('ROLLBACK').catch((failed: unknown) => {
      if (!isAway(failed)) throw failed
    })
    throw error
  }
}

import type { Sql } from '../connection.ts'
import { failure } from '../failure.ts'
import type { OnNotice } from '../notice.ts'
import type { Held } from './acquire.ts'
import { capturedCommit } from './history.ts'

const EPOCH_PREFIX = 'tributary-epoch'

/**
 * Commits something in an epoch of which no commit was captured yet: it comes back through the slot, and from then on a log that lacks it is
 * told for another history. Without it, a database set back before the snapshot and written past it would not be noticed. Never throws:
 * the next commit of a captured table does the same. A server in recovery gets none: it cannot write.
 */
export async function writeEpochCommit(
  sql: Sql,
  { history, stored }: Pick<Held, 'history' | 'stored'>,
  onNotice: OnNotice,
  signal: AbortSignal,
): Promise<void> {
  if (capturedCommit(history, stored) !== undefined) return
  try {
    await sql`SELECT pg_logical_emit_message(true, ${EPOCH_PREFIX}, ${String(history.epoch)}::text) WHERE NOT pg_is_in_recovery()`
  } catch (error) {
    if (signal.aborted) return
    const { message } = failure('marking the beginning of an epoch in the log', error)
    onNotice({
      code: 'epoch-unmarked',
      level: 'warn',
      message: `${message} Until the first change, a database that is set back in time may not be noticed.`,
    })
  }
}

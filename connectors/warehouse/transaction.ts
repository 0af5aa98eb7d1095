import type { Session } from './session.ts'

/** A transaction that did not end with an acknowledged COMMIT. `cause` is what was thrown. */
export class TransactionFailed extends Error {
  /** Whether COMMIT may have reached the server. */
  readonly commitSent: boolean

  constructor(commitSent: boolean, cause: unknown) {
    super('a transaction at the warehouse failed', { cause })
    this.name = 'TransactionFailed'
    this.commitSent = commitSent
  }
}

/**
 * READ COMMITTED whatever the server's default: a statement that waited for a row lock has to see what the other transaction
 * committed, and each statement has to see what was committed before it.
 */
const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED'

/** A standby refuses to begin READ WRITE, so what only reads says so. */
type Mode = 'READ WRITE' | 'READ ONLY'

/**
 * Runs `work` in one transaction. When `signal` aborts, or the answer to anything is lost, the session is destroyed.
 * @throws TransactionFailed, with the session either clean or destroyed
 */
export async function transact<T>(
  session: Session,
  signal: AbortSignal,
  mode: Mode,
  work: () => Promise<T>,
): Promise<T> {
  let commitSent = false
  const steps = async () => {
    // Waited for: if BEGIN failed alone, what is pipelined behind it would run without a transaction.
    await session.command(`${BEGIN} ${mode}`)
    const result = await work()
    signal.throwIfAborted()
    commitSent = true
    const tag = await session.command('COMMIT')
    // COMMIT of a failed transaction is answered with ROLLBACK, and is no error.
    if (tag !== 'COMMIT') throw new Error(`COMMIT was answered with ${tag}`)
    return result
  }
  try {
    return await abortable(session, signal, steps())
  } catch (error) {
    const failed = new TransactionFailed(commitSent, error)
    await leaveClean(session, signal)
    throw failed
  }
}

/** Ends what is left of a failed transaction, or the session with it. */
async function leaveClean(session: Session, signal: AbortSignal): Promise<void> {
  if (!session.usable) return
  try {
    await abortable(session, signal, session.command('ROLLBACK'))
  } catch {
    // The first error is the one to tell; the server rolls back when the connection is gone.
    session.destroy()
  }
}

/** Waits for an answer, but not longer than the session or the signal lives. */
async function abortable<T>(session: Session, signal: AbortSignal, answer: Promise<T>): Promise<T> {
  const { promise: given, reject: giveUp } = Promise.withResolvers<never>()
  const onAbort = () => {
    giveUp(signal.reason)
    session.destroy()
  }
  const onLost = () => giveUp(session.lost.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  session.lost.addEventListener('abort', onLost, { once: true })
  if (signal.aborted) onAbort()
  else if (session.lost.aborted) onLost()
  try {
    return await Promise.race([given, answer])
  } finally {
    signal.removeEventListener('abort', onAbort)
    session.lost.removeEventListener('abort', onLost)
  }
}

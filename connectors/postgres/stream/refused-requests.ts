import type { OnNotice } from '../notice.ts'

/** Anyone who may write to the database can send messages at will; the log of the process is not theirs to fill. */
const TELL_EVERY_MICROS = 60_000_000n

/**
 * Tells of messages that are passed over, at most once a minute a kind.
 * @param now microseconds since 1970-01-01 UTC
 * @returns takes what is wrong, one of few texts
 */
export function tellRefused(source: string, onNotice: OnNotice, now: () => bigint): (problem: string) => void {
  const toldAt = new Map<string, bigint>()
  return (problem) => {
    const at = now()
    const before = toldAt.get(problem)
    if (before !== undefined && at - before < TELL_EVERY_MICROS) return
    toldAt.set(problem, at)
    onNotice({
      code: 'request-refused',
      level: 'warn',
      message: `source "${source}": a message in the log is not a request that can be carried out, and is passed over: ${problem}`,
    })
  }
}

import type { SourceEvent } from '../../source.ts'
import type { Transaction } from '../stream/stream.ts'
import type { Held } from './acquire.ts'
import { type Commit, capturedCommit, compareToMark, formatMark, readUpTo } from './history.ts'

/**
 * What has been handed out, and may be acknowledged once it is durable. Pure.
 *
 * A slot may stand before the last commit that was captured: the server was killed before it wrote down what we confirmed, or this is another
 * history. What its log shows again is on the topics already, and is neither handed out nor confirmed before the log has shown that commit.
 */
export interface PlaceTracker {
  /** The end of the commit that the log has to show first; undefined when it has, or need not. */
  rereadUpTo(): bigint | undefined
  /**
   * Everything before `position` was consumed; a commit names its transaction.
   * @throws OtherHistory
   */
  cover(position: bigint, transaction: Transaction | null): void
  /** The progress event for what was covered since the last one, if any. Never below what was stored. */
  progress(): readonly SourceEvent[]
}

/** The log does not hold a commit that was captured: another history has taken its place. */
export class OtherHistory extends Error {
  constructor() {
    super('another history')
  }
}

/** @param readNow up to where rows were read by now, to complete changes that were handed out */
export function trackPlace(
  { history, stored, captured, isBefore }: Pick<Held, TrackedPart>,
  readNow: () => bigint,
): PlaceTracker {
  const { epoch, timeline } = history
  let commit = capturedCommit(history, stored)
  let expected: Commit | undefined = isBefore ? commit : undefined
  const readBefore = readUpTo(history, stored)
  let position = 0n
  // Once more told where it stood, so that the slot gets there too.
  let told = captured - 1n
  return {
    rereadUpTo: () => expected?.end,
    cover(end, transaction) {
      if (transaction !== null) {
        const seen = { end, ...transaction }
        const order = expected === undefined ? 'same' : compareToMark(expected, seen)
        if (order === 'other') throw new OtherHistory()
        if (order === 'same') {
          expected = undefined
          commit = seen
        }
      }
      if (end > position) position = end
    },
    progress() {
      if (expected !== undefined || position <= told) return []
      told = position
      const event = { kind: 'progress' as const, position, commit }
      return [
        {
          kind: event.kind,
          position: event.position,
          // Asked for when it is stored: the changes before it are completed only after this was handed out.
          get mark() {
            const now = readNow()
            const read = now > readBefore ? now : readBefore
            // What was consumed needs no other word than its commits.
            const ahead = read > event.position ? read : undefined
            return formatMark({ epoch, timeline, commit: event.commit, readUpTo: ahead })
          },
        },
      ]
    },
  }
}

type TrackedPart = 'history' | 'stored' | 'captured' | 'isBefore'

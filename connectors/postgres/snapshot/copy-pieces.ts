import type { Readable } from 'node:stream'
import { HEAD_BYTES, LARGE_MESSAGE_BYTES } from '../stream/gather.ts'

/** A row from here on comes by itself, in memory of its own. */
export const LARGE_ROW_BYTES = LARGE_MESSAGE_BYTES - HEAD_BYTES
/** The socket is paused when so much, or one row, is ahead. */
const AHEAD_BYTES_MAX = 65_536

export interface CopyPiece {
  readonly bytes: Buffer
  readonly isLarge: boolean
}

/** What a COPY gives, in order. */
export interface CopyPieces {
  /**
   * All that has come, or one large row.
   * @returns undefined at the end
   * @throws what ended it before
   */
  next(): Promise<CopyPiece | undefined>
}

/**
 * Takes what the package puts into the stream of a COPY before the stream has it: read from there, a large row would be copied whenever other
 * rows stand before or behind it, and nobody could tell when it is not used any more. Nothing may have been put into it yet.
 */
export function takePieces(stream: Readable): CopyPieces {
  let queue: Buffer[] = []
  let queuedBytes = 0
  let isPaused = false
  let over: { readonly error?: unknown } | undefined
  let wake: (() => void) | undefined

  const end = (how: { readonly error?: unknown }) => {
    over ??= how
    wake?.()
  }
  stream.push = (bytes: Buffer | null) => {
    if (bytes === null) {
      end({})
      return false
    }
    queue.push(bytes)
    queuedBytes += bytes.length
    isPaused = queuedBytes >= AHEAD_BYTES_MAX
    if (wake !== undefined) {
      wake()
      wake = undefined
    }
    return !isPaused
  }
  stream.on('error', (error) => end({ error }))
  stream.on('close', () => end({ error: new Error('the connection was closed') }))

  function take(): CopyPiece {
    const large = queue.findIndex(({ length }) => length >= LARGE_ROW_BYTES)
    const count = large < 0 ? queue.length : Math.max(1, large)
    const rest = count === queue.length ? [] : queue.splice(count)
    const bytes = queue.length === 1 ? queue[0]! : Buffer.concat(queue)
    queue = rest
    queuedBytes -= bytes.length
    if (isPaused && queuedBytes < AHEAD_BYTES_MAX) resume()
    return { bytes, isLarge: large === 0 }
  }

  /** Also when the end has come: the next answer of the connection would not be heard. */
  function resume(): void {
    isPaused = false
    try {
      // How the package is told that the stream wants more.
      stream._read(AHEAD_BYTES_MAX)
    } catch (error) {
      // It has no socket any more.
      end({ error })
    }
  }

  return {
    async next() {
      while (queue.length === 0 && over === undefined)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      if (queue.length > 0) return take()
      if (over !== undefined && 'error' in over) throw over.error
      return undefined
    },
  }
}

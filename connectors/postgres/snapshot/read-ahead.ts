import type { Readable } from 'node:stream'

/**
 * Reads a stream in batches of the pieces it was written in. While the consumer uses a batch the next is collected, up to `bytesMax` and
 * one piece more; beyond that the stream is paused. (The stream's own iterator would copy all pieces of a batch together.)
 * @throws what broke the stream, also when it closes before its end
 */
export async function* readAhead(stream: Readable, bytesMax: number): AsyncGenerator<readonly Buffer[], void> {
  let queue: Buffer[] = []
  let queuedBytes = 0
  let ended = false
  let broken: { readonly error: unknown } | undefined
  let wake: (() => void) | undefined
  const fail = (error: unknown) => {
    broken ??= { error }
    wake?.()
  }
  stream.on('data', (piece: Buffer) => {
    queue.push(piece)
    queuedBytes += piece.length
    if (queuedBytes >= bytesMax) stream.pause()
    wake?.()
  })
  stream.on('end', () => {
    ended = true
    wake?.()
  })
  stream.on('error', fail)
  stream.on('close', () => {
    if (!ended) fail(new Error('the connection was closed'))
  })
  // What happened before anyone listened.
  if (stream.errored !== null || stream.destroyed) fail(stream.errored ?? new Error('the connection was closed'))
  for (;;) {
    if (broken) throw broken.error
    if (queue.length > 0) {
      const batch = queue
      queue = []
      queuedBytes = 0
      if (stream.isPaused()) stream.resume()
      yield batch
    } else if (ended) return
    else
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
}

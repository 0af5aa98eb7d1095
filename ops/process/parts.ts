import type { Log } from '../../connectors/kafka/client.ts'
import { pause } from '../../connectors/pause.ts'
import { type ErrorCode, TributaryError } from '../../schemas/errors.ts'

/** A capture or a delivery of this process. */
export interface Part {
  readonly name: string
  /** Ends when `signal` aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>
  /** It stands still until it is started again. */
  readonly onFailed: (reason: string) => void
}

/** What is wrong with one outside system, and so with one part. Every other error that ends a part concerns all that share this process. */
const ONE_SYSTEMS_OWN: ReadonlySet<ErrorCode> = new Set([
  'source-unsuitable',
  'position-corrupt',
  'destination-unsuitable',
])

export const REST_MS_MIN = 15_000
export const REST_MS_MAX = 300_000

/**
 * Runs parts side by side until `signal` aborts. One whose outside system refuses it for good does not end the others: it rests, and is
 * started again, as whoever puts that system right should not need to know of this process. When none is left at work the process has
 * nothing to do, and ends: a part that is alone is never kept.
 * @throws TributaryError with the fate `stop`, after all are drained
 */
export async function runParts(
  parts: readonly Part[],
  log: Log,
  signal: AbortSignal,
  rest: typeof pause = pause,
): Promise<void> {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  let working = parts.length
  const keep = async (part: Part) => {
    let restMs = REST_MS_MIN
    while (!either.aborted) {
      const startedAt = performance.now()
      try {
        return await part.run(either)
      } catch (error) {
        working--
        if (either.aborted || working === 0 || !isOneSystemsOwn(error)) {
          stop.abort()
          throw error
        }
        if (performance.now() - startedAt > REST_MS_MAX) restMs = REST_MS_MIN
        part.onFailed(error.message)
        log('error', `${part.name} stopped and is started again; everything else goes on`, {
          reason: error.message,
          code: error.code,
          inMs: restMs,
        })
        await rest(restMs, either)
        restMs = Math.min(restMs * 2, REST_MS_MAX)
        working++
      }
    }
  }
  for (const result of await Promise.allSettled(parts.map(keep))) if (result.status === 'rejected') throw result.reason
}

function isOneSystemsOwn(error: unknown): error is TributaryError {
  return error instanceof TributaryError && ONE_SYSTEMS_OWN.has(error.code)
}

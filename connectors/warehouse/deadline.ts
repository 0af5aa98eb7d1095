import { TributaryError } from '../../schemas/errors.ts'

/**
 * Runs `work` with a signal that aborts after `limitMs` and when `signal` does; its reason is a TributaryError that says which.
 * (Not `AbortSignal.any`: the signal of a pipeline lives for days, and every batch would leave something at it.)
 */
export async function withDeadline<T>(
  limitMs: number,
  signal: AbortSignal | undefined,
  work: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  const limited = new AbortController()
  const stop = (message: string, cause?: unknown) =>
    limited.abort(new TributaryError('destination-unreachable', message, { cause }))
  const onAbort = () => stop('the request to the warehouse was called off', signal?.reason)
  const timer = setTimeout(stop, limitMs, `the warehouse gave no answer within ${limitMs} ms; see what it waits for`)
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted) onAbort()
  try {
    return await work(limited.signal)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

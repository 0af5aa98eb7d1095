/** How long a process may take to drain before a second look at the clock ends it. */
export const DRAIN_MS_MAX = 25_000

/**
 * A signal that aborts at the first SIGTERM or SIGINT. A second one, or a drain that takes too long, ends the process at once: nothing is
 * lost by that either, only repeated.
 */
export function untilAskedToStop(): AbortSignal {
  const controller = new AbortController()
  const ask = () => {
    if (controller.signal.aborted) process.exit(1)
    controller.abort()
    setTimeout(() => process.exit(1), DRAIN_MS_MAX).unref()
  }
  process.on('SIGTERM', ask)
  process.on('SIGINT', ask)
  return controller.signal
}

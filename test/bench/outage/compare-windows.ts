import { median, type Percentiles, percentiles, round } from '../support/statistics.ts'

/** A stretch of time, ms since 1970. */
export interface Window {
  readonly fromMs: number
  readonly toMs: number
}

export interface Windows {
  /** All is well; each is followed by one of `down`. */
  readonly up: readonly Window[]
  readonly down: readonly Window[]
  /** The parts of a long outage. */
  readonly outage: readonly Window[]
  /** From its end until the one that was down has caught up. */
  readonly catchingUp: Window
  readonly after: Window
}

/**
 * Latency while another subscriber is down beside what it is while all is well. Each window's percentile first, then the middle of
 * the windows; the ratio of windows that follow each other, so that what the machine does over minutes is in both.
 */
export function compareWindows(latenciesOf: (window: Window) => readonly number[], windows: Windows) {
  const figures = (each: readonly Window[]) => each.map((window) => percentiles(latenciesOf(window)))
  const up = figures(windows.up)
  const down = figures(windows.down)
  const outage = figures(windows.outage)
  const [catchingUp, after] = figures([windows.catchingUp, windows.after])
  const of = (share: 'p50' | 'p99') => {
    const middle = (some: readonly Percentiles[]) => median(some.map((one) => one[share]))
    const ratios = up.map((one, index) => down[index]![share] / one[share])
    return {
      upMs: round(middle(up)),
      downMs: round(middle(down)),
      ratio: round(median(ratios)),
      ratios: ratios.map(round),
      outageMs: round(middle(outage)),
      outageRatio: round(middle(outage) / middle(up)),
      catchingUpMs: catchingUp![share],
      afterMs: after![share],
    }
  }
  return { p50: of('p50'), p99: of('p99') }
}

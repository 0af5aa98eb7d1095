const GROUPED = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** `12,345`. */
export function countText(count: number): string {
  return GROUPED.format(count)
}

/** A rate a second: `0.4`, `19`, `1,020`. */
export function rateText(perSecond: number): string {
  return perSecond > 0 && perSecond < 9.95 ? perSecond.toFixed(1) : countText(perSecond)
}

/** `4.2 ms`, `41 ms`, `1.8 s`, `1.9 min`, `2.1 h`: at most eight characters, as it stands in a column. */
export function latencyText(ms: number): string {
  if (ms < 9.95) return `${Math.max(0, ms).toFixed(1)} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_500) return durationText(ms)
  const minutes = ms / 60_000
  return minutes < 99.5 ? `${minutes.toFixed(1)} min` : `${(minutes / 60).toFixed(1)} h`
}

/** `0.4 s`, `12 s`, `3 min 5 s`, `2 h 4 min`. */
export function durationText(ms: number): string {
  if (ms < 9_950) return `${(Math.max(0, ms) / 1_000).toFixed(1)} s`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min${seconds % 60 ? ` ${seconds % 60} s` : ''}`
  const minutes = Math.round(seconds / 60)
  return `${countText(Math.floor(minutes / 60))} h${minutes % 60 ? ` ${minutes % 60} min` : ''}`
}

/** `00:03:12`. */
export function clockText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  return [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const

/** A bar of `columns` cells in two parts: what is done, to an eighth of a cell, and the rest. */
export function barText(share: number, columns: number): { done: string; rest: string } {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * columns * 8)
  const done = '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]
  return { done, rest: '░'.repeat(columns - done.length) }
}

const LEVELS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const

/** One cell a value, from the bottom line at 0 to full height at the greatest, or at `fullMin` where all are less. */
export function sparkText(values: readonly number[], fullMin = 0): string {
  const greatest = Math.max(...values, fullMin)
  return values.map((value) => LEVELS[greatest > 0 ? Math.round((value / greatest) * 7) : 0]).join('')
}

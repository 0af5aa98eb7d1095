import { SERVICE_TITLES, type StackProgress } from './services.ts'

/** How often a line that changes all the time is drawn: often enough to look alive, or rarely enough for a log. */
const REDRAW_INTERVAL_MS = { terminal: 150, log: 10_000 }
const TITLE_WIDTH = 19

export interface ProgressPrinter {
  readonly print: (line: StackProgress) => void
  /** Ends a line that is still being redrawn. Call it before anything else is written. */
  readonly end: () => void
}

/** Prints progress: the download as one line that is redrawn on a terminal, everything else as a line each. */
export function progressPrinter(out: NodeJS.WriteStream): ProgressPrinter {
  const interval = out.isTTY ? REDRAW_INTERVAL_MS.terminal : REDRAW_INTERVAL_MS.log
  let drawnAt = Number.NEGATIVE_INFINITY
  let isOpen = false
  const end = () => {
    if (isOpen) out.write('\n')
    isOpen = false
  }
  const print = (line: StackProgress) => {
    if (line.service !== 'download') {
      end()
      out.write(`${SERVICE_TITLES[line.service].padEnd(TITLE_WIDTH)}${line.text}\n`)
      return
    }
    if (performance.now() - drawnAt < interval) return
    drawnAt = performance.now()
    const text = `${'Download'.padEnd(TITLE_WIDTH)}${line.text}`
    if (out.isTTY) out.write(`\r${text.slice(0, (out.columns ?? 80) - 1)}\x1b[K`)
    else out.write(`${text}\n`)
    isOpen = out.isTTY
  }
  return { print, end }
}

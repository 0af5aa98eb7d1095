import { redrawnLine } from '../../cli/redrawn-line.ts'

/** Nothing is told of what is done within this time. */
const QUIET_MS = 1_000
const REDRAW_MS = 150
/** Where there is no terminal, each line stays. */
const LINE_MS = 5_000

export interface ProgressLine {
  tell(text: string): void
  end(): void
}

/** How far a command is, on stderr: one line that is drawn again and again, or one every few seconds where there is no terminal. */
export function progressLine(): ProgressLine {
  const { stderr } = process
  if (stderr.isTTY) {
    const line = redrawnLine({ quietMs: QUIET_MS, everyMs: REDRAW_MS })
    return { tell: (text) => line.draw(() => text), end: line.end }
  }
  const beganMs = performance.now()
  let toldMs = Number.NEGATIVE_INFINITY
  return {
    tell(text) {
      const nowMs = performance.now()
      if (nowMs - beganMs < QUIET_MS || nowMs - toldMs < LINE_MS) return
      toldMs = nowMs
      stderr.write(`${text}\n`)
    },
    end() {},
  }
}

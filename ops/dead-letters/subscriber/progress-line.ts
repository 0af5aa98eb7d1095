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
  const beganMs = performance.now()
  let toldMs = Number.NEGATIVE_INFINITY
  return {
    tell(text) {
      const nowMs = performance.now()
      if (nowMs - beganMs < QUIET_MS || nowMs - toldMs < (stderr.isTTY ? REDRAW_MS : LINE_MS)) return
      toldMs = nowMs
      stderr.write(stderr.isTTY ? `\r${text.slice(0, (stderr.columns ?? 80) - 1)}\x1b[K` : `${text}\n`)
    },
    end() {
      if (stderr.isTTY && toldMs > 0) stderr.write('\r\x1b[K')
    },
  }
}

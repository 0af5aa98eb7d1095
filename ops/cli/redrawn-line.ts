export interface RedrawnLine {
  draw(text: () => string): void
  end(): void
}

/**
 * One line on stderr that is drawn over again and again, for a terminal only.
 * @param quietMs nothing is drawn before
 */
export function redrawnLine({ quietMs, everyMs }: { readonly quietMs: number; readonly everyMs: number }): RedrawnLine {
  const { stderr } = process
  const beganMs = performance.now()
  let drawnMs = Number.NEGATIVE_INFINITY
  return {
    draw(text) {
      const nowMs = performance.now()
      if (!stderr.isTTY || nowMs - beganMs < quietMs || nowMs - drawnMs < everyMs) return
      drawnMs = nowMs
      stderr.write(`\r${text().slice(0, (stderr.columns || 80) - 1)}\x1b[K`)
    },
    end() {
      if (drawnMs > 0) stderr.write('\r\x1b[K')
    },
  }
}

/** Says on stderr what goes on, so that stdout holds the figures alone. */
export interface Progress {
  /** Begins a step; the one before it is done. */
  step(what: string): void
  /** How far the step is. Drawn in place on a terminal, and not at all in a log. */
  update(done: number, of: number): void
  end(): void
}

const BAR_WIDTH = 24

export function showProgress(out: NodeJS.WriteStream = process.stderr): Progress {
  let current: { what: string; startedAt: number } | null = null
  const finish = () => {
    if (current === null) return
    const seconds = ((performance.now() - current.startedAt) / 1000).toFixed(1)
    out.write(out.isTTY ? `\r${current.what} (${seconds} s)\x1b[K\n` : ` (${seconds} s)\n`)
    current = null
  }
  return {
    step(what) {
      finish()
      current = { what, startedAt: performance.now() }
      out.write(what)
    },
    update(done, of) {
      if (current === null || !out.isTTY) return
      const filled = Math.min(BAR_WIDTH, Math.round((done / of) * BAR_WIDTH))
      const bar = '█'.repeat(filled) + '·'.repeat(BAR_WIDTH - filled)
      out.write(`\r${current.what} ${bar} ${done.toLocaleString('en')} of ${of.toLocaleString('en')}\x1b[K`)
    },
    end: finish,
  }
}

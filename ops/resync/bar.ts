const CELLS = 24
/** Below this the pace says nothing yet. */
const ESTIMATE_MS_MIN = 2_000

/** `████████░░░░░░░░░░░░░░░░  33%, about 40 s left`. Pure. @param share done, from 0 to 1 */
export function formatBar(share: number, elapsedMs: number): string {
  const done = Math.max(0, Math.min(1, share))
  const full = Math.floor(done * CELLS)
  const bar = '█'.repeat(full) + '░'.repeat(CELLS - full)
  return `${bar} ${String(Math.floor(done * 100)).padStart(3)}%${left(done, elapsedMs)}`
}

function left(done: number, elapsedMs: number): string {
  const seconds = secondsLeft(done, elapsedMs)
  if (seconds === null || done >= 1) return ''
  return seconds < 120 ? `, about ${seconds} s left` : `, about ${Math.ceil(seconds / 60)} min left`
}

/** What is left at the pace so far; null while there is none. */
export function secondsLeft(done: number, elapsedMs: number): number | null {
  if (done <= 0 || elapsedMs < ESTIMATE_MS_MIN) return null
  return Math.ceil(((elapsedMs / done) * (1 - done)) / 1_000)
}

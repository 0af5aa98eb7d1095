import type { SnapshotNews } from './follow.ts'

/** A line for each snapshot that was asked for. Pure. */
export function formatNews(news: readonly SnapshotNews[], nowMs: number): readonly string[] {
  return news.map((one) => `${one.entity}: ${describe(one, nowMs)}`)
}

function describe({ state, rowsDone, rowsEstimated, startedAtMs, problem }: SnapshotNews, nowMs: number): string {
  switch (state) {
    case 'asked':
      return 'asked for'
    case 'waiting':
      return 'waits for the snapshot before it'
    case 'reading':
      return `${rowsDone} of about ${Math.max(rowsEstimated ?? 0, rowsDone)} rows${left(rowsDone, rowsEstimated, startedAtMs, nowMs)}`
    case 'sweeping':
      return `${rowsDone} rows read, looking for keys that are gone`
    case 'done':
      return `done, ${rowsDone} rows`
    case 'refused':
      return `not carried out. ${problem ?? ''}`
  }
}

/** What is left at the pace so far. */
function left(done: number, estimated: number | null, startedAtMs: number | null, nowMs: number): string {
  if (estimated === null || startedAtMs === null || done === 0 || done >= estimated) return ''
  const seconds = Math.ceil((((nowMs - startedAtMs) / done) * (estimated - done)) / 1_000)
  return seconds < 120 ? `, about ${seconds} s left` : `, about ${Math.ceil(seconds / 60)} min left`
}

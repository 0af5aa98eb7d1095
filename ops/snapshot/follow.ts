import { setTimeout as wait } from 'node:timers/promises'
import { type EntityProgress, parseProgress } from '../../connectors/postgres/snapshot/progress.ts'
import { loadStored } from '../../producers/positions.ts'
import { TributaryError } from '../../schemas/errors.ts'
import type { Environment } from '../process/environment.ts'

const LOOK_EVERY_MS = 1_000

/** How far one asked snapshot is. */
export interface SnapshotNews {
  readonly entity: string
  readonly state: 'asked' | 'waiting' | 'reading' | 'sweeping' | 'done' | 'refused'
  readonly rowsDone: number
  readonly rowsEstimated: number | null
  readonly startedAtMs: number | null
  readonly problem: string | null
}

/** What is stored of an entity, as news of the snapshot `id`. Pure. */
export function newsOf(entity: string, id: string, progress: EntityProgress | undefined): SnapshotNews {
  const answer = progress?.answers.find((one) => one.id === id)
  const running = progress?.running
  const none = { entity, rowsDone: 0, rowsEstimated: null, startedAtMs: null, problem: null }
  if (answer !== undefined)
    return {
      ...none,
      state: answer.problem === null ? 'done' : 'refused',
      rowsDone: answer.rows,
      problem: answer.problem,
    }
  if (running?.id === id) {
    const { rowsDone, rowsEstimated, startedAtMs, rowsRead } = running
    return { ...none, state: rowsRead ? 'sweeping' : 'reading', rowsDone, rowsEstimated, startedAtMs }
  }
  return { ...none, state: progress?.requests.some((one) => one.id === id) ? 'waiting' : 'asked' }
}

/**
 * Watches the snapshots of a request until each is done or refused.
 * @param quietMs fails when nothing changes for so long
 * @throws TributaryError `request-unanswered`
 */
export async function follow(
  { declaration, kafka }: Environment,
  source: string,
  id: string,
  entities: readonly string[],
  quietMs: number,
  onNews: (news: readonly SnapshotNews[]) => void,
): Promise<readonly SnapshotNews[]> {
  let changedAt = performance.now()
  let last = ''
  for (;;) {
    const { values } = await loadStored(kafka, declaration.kafka.brokers, declaration.name, source)
    const news = entities.map((entity) => newsOf(entity, id, parseProgress(values.get(`snapshot/${entity}`))))
    onNews(news)
    if (news.every(({ state }) => state === 'done' || state === 'refused')) return news
    const now = JSON.stringify([...values])
    if (now !== last) changedAt = performance.now()
    else if (performance.now() - changedAt > quietMs)
      throw new TributaryError(
        'request-unanswered',
        `Nothing was heard of the snapshot of source ${source} for ${quietMs / 1000} s. The request is kept in its log and is carried out ` +
          'when capture comes to it: look at `tributary status`, and do not ask again.',
      )
    last = now
    await wait(LOOK_EVERY_MS)
  }
}

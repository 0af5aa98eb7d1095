import type { Log } from '../../connectors/kafka/client.ts'
import type { DeliveryObserver } from '../../consumers/observer.ts'
import { formatBar, secondsLeft } from '../resync/bar.ts'

/** How often it is told how far an entity is. */
const TELL_EVERY_MS = 5_000
/** An entity is behind from here on; below it nobody is kept waiting. */
const BEHIND_RECORDS = 1_000
/** It has caught up once it was no further behind than this share of where it began, for so long. */
const CAUGHT_UP_SHARE = 0.01
const QUIET_MS = 3_000

const DEAF: Omit<DeliveryObserver, 'lag' | 'received'> = {
  coalesced() {},
  gated() {},
  applied() {},
  answered() {},
  deadLettered() {},
  retried() {},
  breaker() {},
  load() {},
  batch() {},
}

interface EntityCatchUp {
  readonly lags: Map<number, number>
  /** When the most was to be done, how much that was, and how much had come by then. */
  began: { readonly atMs: number; readonly behind: number; readonly received: number } | null
  received: number
  /** Since when it is hardly behind. */
  quietSinceMs: number | null
  toldAtMs: number
}

/**
 * Tells how far the entities of one subscriber are behind, and how long it may take, from the start of the process until each has caught up
 * once. Holds one entry an entity, and a number a partition.
 * @param isTerminal whether a person looks at the lines: then they have a bar
 */
export function createCatchUp(
  log: Log,
  subscriber: string,
  isTerminal: boolean,
  nowMs: () => number = () => performance.now(),
): DeliveryObserver {
  const entities = new Map<string, EntityCatchUp | 'caught up'>()
  const of = (entity: string) => {
    const known = entities.get(entity)
    if (known !== undefined) return known
    const fresh = { lags: new Map(), began: null, received: 0, quietSinceMs: null, toldAtMs: Number.NEGATIVE_INFINITY }
    entities.set(entity, fresh)
    return fresh
  }
  return {
    ...DEAF,
    received(entity, records) {
      const one = of(entity)
      if (one !== 'caught up') one.received += records
    },
    lag(entity, partition, records) {
      const one = of(entity)
      if (one === 'caught up') return
      if (records === null) one.lags.delete(partition)
      else one.lags.set(partition, records)
      const now = nowMs()
      const behind = [...one.lags.values()].reduce((sum, lag) => sum + lag, 0)
      // Partitions are heard of one after the other: it began where the most was to be done.
      if (behind >= BEHIND_RECORDS && behind > (one.began?.behind ?? 0))
        one.began = { atMs: now, behind, received: one.received }
      if (isQuiet(one, behind, now)) {
        entities.set(entity, 'caught up')
        if (one.began !== null)
          log('info', `${subscriber} has caught up`, {
            entity,
            records: one.received,
            seconds: Math.round((now - one.began.atMs) / 1_000),
          })
        return
      }
      if (one.began === null || one.quietSinceMs !== null || now - one.toldAtMs < TELL_EVERY_MS) return
      one.toldAtMs = now
      const elapsedMs = now - one.began.atMs
      const done = 1 - behind / one.began.behind
      const shown = isTerminal ? ` ${formatBar(done, elapsedMs)}` : ''
      log('info', `${subscriber} catches up${shown}`, {
        entity,
        behind,
        leftSeconds: isTerminal ? undefined : secondsLeft(done, elapsedMs),
      })
    },
  }
}

function isQuiet(one: EntityCatchUp, behind: number, now: number): boolean {
  const few = Math.max(BEHIND_RECORDS / 10, CAUGHT_UP_SHARE * (one.began?.behind ?? 0))
  // Nothing heard yet is no sign of having caught up: the first records may be under way.
  if (behind > few || one.received === 0) {
    one.quietSinceMs = null
    return false
  }
  one.quietSinceMs ??= now
  return now - one.quietSinceMs >= QUIET_MS
}

import { entityTopic } from '../../schemas/topics.ts'
import type { Declaration } from '../declaration/declaration.ts'
import type { Watcher } from '../process/run.ts'
import type { ViewAccumulator } from './view-model.ts'

/** Feeds what the pipeline tells into the live view. `onSnapshotsDone` is called once all entities are snapshotted. */
export function watch(model: ViewAccumulator, declaration: Declaration, onSnapshotsDone: () => void): Watcher {
  const entityOf = new Map([...declaration.entities.keys()].map((name) => [entityTopic(declaration.name, name), name]))
  const waiting = new Set(declaration.entities.keys())
  return {
    capture: {
      published({ records }) {
        const counts = new Map<string, number>()
        for (const { topic } of records) {
          const entity = entityOf.get(topic)
          if (entity !== undefined) counts.set(entity, (counts.get(entity) ?? 0) + 1)
        }
        const now = Date.now()
        for (const [entity, count] of counts) {
          model.onCaptured(count, now)
          model.onPublished(entity, count, now)
        }
      },
      unencodable: () => model.onDeadLetter(null),
      deadLetters: () => {},
      restarted: () => {},
    },
    delivery: (subscriber) => {
      const lags = new Map<string, number>()
      return {
        received: () => {},
        coalesced: () => {},
        gated: (entity, _reason, records) => model.onGated(entity, records),
        applied: ({ op, ...applied }) => model.onApplied({ ...applied, subscriber, kind: op }, Date.now()),
        answered: (_entity, outcome) => model.onAnswered(subscriber, outcome, Date.now()),
        deadLettered: () => model.onDeadLetter(subscriber),
        lag(entity, partition, records) {
          if (records === null) lags.delete(`${entity}/${partition}`)
          else lags.set(`${entity}/${partition}`, records)
          let sum = 0
          for (const lag of lags.values()) sum += lag
          model.setLag(subscriber, sum, Date.now())
        },
        retried: () => {},
        breaker: (entityClass, state) => model.onBreaker(subscriber, entityClass, state, Date.now()),
        load: () => {},
        batch: () => {},
      }
    },
    onSnapshotProgress(progress) {
      model.onSnapshotProgress(progress, Date.now())
      if (progress.done && waiting.delete(progress.entity) && waiting.size === 0) onSnapshotsDone()
    },
  }
}

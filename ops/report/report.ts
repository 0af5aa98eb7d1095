import type { EntityClass } from '../../schemas/entity.ts'
import type { Declaration } from '../declaration/declaration.ts'
import type { Sample } from './prometheus.ts'
import type { QUERIES } from './queries.ts'

/** What Prometheus said, by query. */
export type Answers = Readonly<Record<keyof typeof QUERIES, readonly Sample[]>>

/** How a pipeline did over a time, beside what was declared. null is not known. */
export interface Report {
  readonly overSeconds: number
  /** For how much of it there are figures. */
  readonly seenSeconds: number
  readonly entities: readonly EntityReport[]
  readonly subscribers: readonly { readonly subscriber: string; readonly errorShare: number | null }[]
  /** Parts that did not work all the time. */
  readonly down: readonly { readonly part: string; readonly seconds: number }[]
}

export interface EntityReport {
  readonly subscriber: string
  readonly entity: string
  readonly class: EntityClass
  readonly owner: string
  readonly targetSeconds: number
  /** Patches that took effect, without those of snapshots. */
  readonly applied: number | null
  readonly p50Seconds: number | null
  readonly p99Seconds: number | null
  /** Of the time that is known, 0 to 1. */
  readonly lateShare: number | null
  readonly deadLetters: number | null
  readonly oldestDeadLetterSeconds: number | null
}

/** Below a second in a week nothing was down: Prometheus asks at times, and a part starts. */
const DOWN_SECONDS_MIN = 1

/** Puts the answers beside the declaration: a row for each entity of each subscriber, whether there are figures for it or not. Pure. */
export function reportOf({ subscribers, entities }: Declaration, answers: Answers, overSeconds: number): Report {
  const of = (query: keyof Answers, wanted: Readonly<Record<string, string>>) => {
    const found = answers[query].find(({ labels }) =>
      Object.entries(wanted).every(([name, value]) => labels[name] === value),
    )
    return found === undefined || Number.isNaN(found.value) ? null : found.value
  }
  const seenSeconds = Math.min(overSeconds, answers.seenSeconds[0]?.value ?? 0)
  const names = [...subscribers.values()]
  return {
    overSeconds,
    seenSeconds,
    entities: names.flatMap(({ name: subscriber, mappings }) =>
      mappings.map(({ entity: { name: entity } }): EntityReport => {
        const { class: entityClass, owner, freshnessSeconds } = entities.get(entity)!
        const labels = { subscriber, entity }
        return {
          ...labels,
          class: entityClass,
          owner,
          targetSeconds: freshnessSeconds,
          applied: roundOrNull(of('applied', labels)),
          p50Seconds: of('p50', labels),
          p99Seconds: of('p99', labels),
          lateShare: of('lateShare', labels),
          deadLetters: of('deadLetters', labels),
          oldestDeadLetterSeconds: of('oldestDeadLetterSeconds', labels),
        }
      }),
    ),
    subscribers: names.map(({ name: subscriber }) => ({ subscriber, errorShare: of('errorShare', { subscriber }) })),
    down: answers.downShare
      .map(({ labels, value }) => ({ part: labels.part ?? '?', seconds: Math.round(value * seenSeconds) }))
      .filter(({ seconds }) => seconds >= DOWN_SECONDS_MIN)
      .toSorted((a, b) => b.seconds - a.seconds),
  }
}

function roundOrNull(value: number | null): number | null {
  return value === null ? null : Math.round(value)
}

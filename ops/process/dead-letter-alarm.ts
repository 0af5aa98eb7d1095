import type { Log } from '../../connectors/kafka/client.ts'
import type { CaptureObserver } from '../../producers/observer.ts'
import { type Entity, hasPersonalKey } from '../../schemas/entity.ts'
import { formatVersion } from '../../schemas/version.ts'

/** How often the same field of the same entity is told about. */
export const REPEAT_INTERVAL_MS = 60_000
/** The most fields that are told apart; beyond it they share one line. */
const PLACES_MAX = 1_000
const OTHERS = 'others'

/** Decides what is told: the first of each place at once, then one a {@link REPEAT_INTERVAL_MS} with how many were left out. */
export class RepeatLimit {
  readonly #places = new Map<string, { toldMs: number; leftOut: number }>()

  /** @returns how many were left out since the last line about this place; null to say nothing */
  admit(place: string, nowMs: number): number | null {
    const name = this.#places.has(place) || this.#places.size < PLACES_MAX ? place : OTHERS
    const known = this.#places.get(name)
    if (known !== undefined && nowMs - known.toldMs < REPEAT_INTERVAL_MS) {
      known.leftOut++
      return null
    }
    this.#places.set(name, { toldMs: nowMs, leftOut: 0 })
    return known?.leftOut ?? 0
  }
}

/** Logs rows that become capture dead letters: entity, field and reason, and the key where it is nobody's personal data. */
export function createDeadLetterAlarm(
  log: Log,
  entities: ReadonlyMap<string, Entity>,
  nowMs: () => number = Date.now,
): CaptureObserver {
  const limit = new RepeatLimit()
  return {
    published: () => {},
    restarted: () => {},
    deadLetters: () => {},
    unencodable(source, row) {
      const declared = entities.get(row.entity)
      const { entity, field, reason, version } = row
      const leftOut = limit.admit(`${source}/${entity}/${field}`, nowMs())
      if (leftOut === null) return
      log('warn', `a row of ${entity} cannot be encoded and became a capture dead letter`, {
        reason,
        source,
        entity,
        field,
        // Of what is not declared nothing is known, so its key may be personal.
        key: declared === undefined || hasPersonalKey(declared) ? undefined : row.key,
        version: formatVersion(version),
        leftOut: leftOut === 0 ? undefined : leftOut,
        next: `tributary dlq list ${source}`,
      })
    },
  }
}

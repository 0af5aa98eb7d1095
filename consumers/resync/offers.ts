import type { Assignment } from '../assignment.ts'
import type { Engine } from '../engine.ts'
import type { Settled, Waiting } from '../lanes/lanes.ts'

/** What one member offers at once beside what it reads, at most: records, and bytes of their values. */
export const OFFERED_MAX = 5_000
export const OFFERED_BYTES_MAX = 4 * 1024 * 1024
/** How often it is looked whether the assignment still holds, when nothing else happens. */
const LOOK_MS = 1_000

export type Offered = Pick<Waiting, 'key' | 'version' | 'value' | 'headers' | 'offset' | 'trials'>

/**
 * Records that the engine is given beside those that it reads (a resync, a sweep), bounded, until the last of them is settled or the
 * assignment is over. Reading goes first: nothing is offered while the engine has no room.
 */
export class Offers {
  readonly #engine: Pick<Engine, 'offer' | 'hasRoom' | 'changed'>
  readonly #assignment: Assignment
  readonly #signal: AbortSignal
  readonly #settled: Record<Settled, number> = { applied: 0, stale: 0, 'given-up': 0 }
  #outstanding = 0
  #bytes = 0

  constructor(engine: Pick<Engine, 'offer' | 'hasRoom' | 'changed'>, assignment: Assignment, signal: AbortSignal) {
    this.#engine = engine
    this.#assignment = assignment
    this.#signal = signal
  }

  /** Whether nothing more will be settled: the partition was taken away, or the process stops. */
  get isOver(): boolean {
    return !this.#assignment.active || this.#signal.aborted
  }

  get outstanding(): number {
    return this.#outstanding
  }

  get settled(): Readonly<Record<Settled, number>> {
    return this.#settled
  }

  /** Offers a record once there is room for it. @returns false when it is over */
  async add(record: Offered): Promise<boolean> {
    while (!this.isOver && !this.#hasRoom) await this.#engine.changed(LOOK_MS)
    if (this.isOver) return false
    const bytes = record.value?.length ?? 0
    this.#outstanding++
    this.#bytes += bytes
    const settled = (how: Settled) => {
      this.#outstanding--
      this.#bytes -= bytes
      this.#settled[how]++
    }
    this.#engine.offer(this.#assignment, { ...record, tickets: [], replays: null, onSettled: [settled] })
    return true
  }

  /**
   * Waits until all are settled.
   * @param onChange called whenever fewer may be outstanding
   * @returns false when it is over before
   */
  async finish(onChange: () => void = () => {}): Promise<boolean> {
    while (!this.isOver && this.#outstanding > 0) {
      await this.#engine.changed(LOOK_MS)
      onChange()
    }
    return this.#outstanding === 0
  }

  get #hasRoom(): boolean {
    return this.#engine.hasRoom && this.#outstanding < OFFERED_MAX && this.#bytes < OFFERED_BYTES_MAX
  }
}

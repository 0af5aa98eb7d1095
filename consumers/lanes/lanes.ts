import { compareVersions, type Version } from '../../schemas/version.ts'
import { mergeTrials, type Trials } from './trials.ts'

/** What became of a record that someone waits for: it took effect, it was not wanted any more, or it was given up. */
export type Settled = 'applied' | 'stale' | 'given-up'

/** A record, or several coalesced ones, waiting in a lane. */
export interface Waiting {
  readonly key: string
  readonly version: Version
  /** null for a delete. */
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | string | undefined>>
  /** Where it stands: in its entity's topic, or, when it comes back from there, in the dead-letter topic's headers. */
  readonly offset: bigint
  /** Tickets of the offset tracker: the record's own and those of the records it stands for; none for one that did not come from the topic. */
  readonly tickets: number[]
  readonly trials: Trials
  /** How often it was replayed, where it comes back as a dead letter; null for any other. */
  readonly replays: number | null
  /** Who wants to know what became of it. */
  readonly onSettled: readonly ((how: Settled, code: string | null) => void)[]
}

/** Times are rounded up to this, so that many keys that wait are looked at some times a second, not at each turn. */
const DUE_STEP_MS = 50

interface Lane {
  readonly waiting: Waiting[]
  busy: boolean
  /** When its first record may be taken, ms of a monotonic clock; 0 for now. */
  dueAt: number
}

/**
 * The lanes of one partition: for each key a serial queue. One batch holds at most one record of a key, and the next one waits until that
 * is settled. A record that has to be tried again goes back to the head of its lane; its key waits alone. Pure book-keeping; who sends what
 * is decided elsewhere.
 */
export class Lanes {
  readonly #lanes = new Map<string, Lane>()
  /** Keys with something waiting, nothing under way and nothing to wait for, in order of arrival. */
  readonly #ready = new Set<string>()
  /** Keys that wait until a time. */
  readonly #delayed = new Set<string>()
  #nextDueAt = Number.POSITIVE_INFINITY
  #bytes = 0
  #waiting = 0

  /** How many keys could be taken now. */
  get readyKeys(): number {
    return this.#ready.size
  }

  /** How many keys wait until a time. */
  get delayedKeys(): number {
    return this.#delayed.size
  }

  /** When {@link wake} has something to do next; infinity for never. */
  get nextDueAt(): number {
    return this.#nextDueAt
  }

  /** Bytes of the values that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** Records that wait, each with those that it stands for as one. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * Takes a record in. When one already waits in its lane they become one, with the newer version and both tickets, unless either is a
   * delete: what a delete does at a subscriber (archive, guard) must not be skipped.
   * @returns whether it was coalesced
   */
  add(record: Waiting): boolean {
    const lane = this.#laneOf(record.key)
    const last = lane.waiting.at(-1)
    if (last && last.value !== null && record.value !== null) {
      this.#replace(lane, lane.waiting.length - 1, coalesce(last, record))
      return true
    }
    lane.waiting.push(record)
    this.#count(record, 1)
    this.#offer(record.key, lane)
    return false
  }

  /**
   * Takes the first record of up to `max` keys; their lanes are busy until {@link release} or {@link putBack}. Records that may share a
   * request with few others only come in as small a company.
   * @param already how many the request has
   * @param skip how many keys to pass over first
   */
  take(max: number, already = 0, skip = 0): Waiting[] {
    const taken: Waiting[] = []
    let most = max
    let passed = 0
    for (const key of this.#ready) {
      if (taken.length >= most) break
      if (passed++ < skip) continue
      const lane = this.#lanes.get(key)!
      const { together } = lane.waiting[0]!.trials
      if (together <= already + taken.length) continue
      most = Math.min(most, together - already)
      const record = lane.waiting.shift()!
      lane.busy = true
      this.#count(record, -1)
      taken.push(record)
    }
    for (const record of taken) this.#ready.delete(record.key)
    return taken
  }

  /** The key's record is settled: its lane may go on. */
  release(key: string): void {
    const lane = this.#lanes.get(key)
    if (!lane) return
    lane.busy = false
    lane.dueAt = 0
    if (lane.waiting.length > 0) this.#offer(key, lane)
    else this.#lanes.delete(key)
  }

  /** The record has to be tried again, not before `dueAt`. It becomes one with a newer one that came meanwhile. */
  putBack(record: Waiting, dueAt: number): void {
    const lane = this.#laneOf(record.key)
    lane.busy = false
    lane.dueAt = Math.ceil(dueAt / DUE_STEP_MS) * DUE_STEP_MS
    const next = lane.waiting[0]
    if (next && next.value !== null && record.value !== null) this.#replace(lane, 0, coalesce(record, next))
    else {
      lane.waiting.unshift(record)
      this.#count(record, 1)
    }
    this.#offer(record.key, lane)
  }

  /** Makes ready the keys whose time has come. */
  wake(now: number): void {
    if (now < this.#nextDueAt) return
    this.#nextDueAt = Number.POSITIVE_INFINITY
    for (const key of this.#delayed) {
      const lane = this.#lanes.get(key)!
      if (lane.dueAt > now) {
        this.#nextDueAt = Math.min(this.#nextDueAt, lane.dueAt)
        continue
      }
      lane.dueAt = 0
      this.#delayed.delete(key)
      this.#ready.add(key)
    }
  }

  #laneOf(key: string): Lane {
    let lane = this.#lanes.get(key)
    if (!lane) {
      lane = { waiting: [], busy: false, dueAt: 0 }
      this.#lanes.set(key, lane)
    }
    return lane
  }

  #offer(key: string, lane: Lane): void {
    if (lane.busy) return
    if (lane.dueAt === 0) {
      this.#ready.add(key)
      return
    }
    this.#delayed.add(key)
    this.#nextDueAt = Math.min(this.#nextDueAt, lane.dueAt)
  }

  #replace(lane: Lane, at: number, record: Waiting): void {
    this.#count(lane.waiting[at]!, -1)
    lane.waiting[at] = record
    this.#count(record, 1)
  }

  #count(record: Waiting, sign: 1 | -1): void {
    this.#waiting += sign
    this.#bytes += sign * (record.value?.length ?? 0)
  }
}

/** The newer of two waiting records, standing for both. By version, not by arrival: a republished old one must not win. */
function coalesce(first: Waiting, second: Waiting): Waiting {
  const newer = compareVersions(second.version, first.version) >= 0 ? second : first
  const older = newer === second ? first : second
  // Append the shorter list to the longer one: a hot key collects many tickets.
  const [long, short] =
    newer.tickets.length >= older.tickets.length ? [newer.tickets, older.tickets] : [older.tickets, newer.tickets]
  for (const ticket of short) long.push(ticket)
  return {
    ...newer,
    tickets: long,
    trials: mergeTrials(first.trials, second.trials),
    onSettled: older.onSettled.length === 0 ? newer.onSettled : [...older.onSettled, ...newer.onSettled],
  }
}

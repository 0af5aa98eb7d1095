import { compareVersions, type Version } from '../schemas/version.ts'

/** A record, or several coalesced ones, waiting in a lane. */
export interface Waiting {
  readonly key: string
  readonly version: Version
  /** null for a delete. */
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | string | undefined>>
  readonly offset: bigint
  /** Tickets of the offset tracker: the record's own and those of the records it stands for. */
  readonly tickets: number[]
}

/**
 * The lanes of one partition: for each key a serial queue. One batch holds at most one record of a key, and the next one waits until that
 * is settled. Pure book-keeping; who sends what is decided elsewhere.
 */
export class Lanes {
  readonly #lanes = new Map<string, { waiting: Waiting[]; busy: boolean }>()
  /** Keys with something waiting and nothing under way, in order of arrival. */
  #ready = new Set<string>()
  #bytes = 0
  #waiting = 0

  /** How many keys could be taken now. */
  get readyKeys(): number {
    return this.#ready.size
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
    let lane = this.#lanes.get(record.key)
    if (!lane) {
      lane = { waiting: [], busy: false }
      this.#lanes.set(record.key, lane)
    }
    const last = lane.waiting.at(-1)
    if (last && last.value !== null && record.value !== null) {
      lane.waiting[lane.waiting.length - 1] = coalesce(last, record)
      this.#bytes += lane.waiting.at(-1)!.value!.length - last.value.length
      return true
    }
    lane.waiting.push(record)
    this.#waiting++
    this.#bytes += record.value?.length ?? 0
    if (!lane.busy) this.#ready.add(record.key)
    return false
  }

  /** Takes the first record of up to `max` keys; their lanes are busy until {@link release}. */
  take(max: number): Waiting[] {
    const taken: Waiting[] = []
    for (const key of this.#ready) {
      if (taken.length >= max) break
      const lane = this.#lanes.get(key)!
      const record = lane.waiting.shift()!
      lane.busy = true
      this.#waiting--
      this.#bytes -= record.value?.length ?? 0
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
    if (lane.waiting.length > 0) this.#ready.add(key)
    else this.#lanes.delete(key)
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
  return { ...newer, tickets: long }
}

/**
 * The unfinished offsets of one partition. The offset to commit is the lowest unfinished one: a crash then repeats finished records
 * (the ledger drops them) and never skips an unfinished one.
 */
export class OffsetTracker {
  /** Offsets in the order of arrival, from `#head` on; compacted topics leave gaps between them. */
  #offsets: bigint[] = []
  #done: boolean[] = []
  #head = 0
  #next: bigint | null = null

  /** How many records are unfinished, or finished behind an unfinished one. */
  get size(): number {
    return this.#offsets.length - this.#head
  }

  /** The lowest unfinished offset; null when all are finished. */
  get lowest(): bigint | null {
    return this.#offsets[this.#head] ?? null
  }

  /**
   * Takes in the next record.
   * @returns a ticket for {@link finish}
   */
  add(offset: bigint): number {
    this.#offsets.push(offset)
    this.#done.push(false)
    return this.#base + this.#offsets.length - 1
  }

  /** The record of this ticket needs nothing more. */
  finish(ticket: number): void {
    this.#done[ticket - this.#base] = true
    while (this.#head < this.#offsets.length && this.#done[this.#head]) {
      this.#next = this.#offsets[this.#head]! + 1n
      this.#head++
    }
    if (this.#head > COMPACT_AT) this.#compact()
  }

  /** The next offset to commit: one past the last record before which all are finished; null when nothing has finished yet. */
  get committable(): bigint | null {
    return this.#next
  }

  #base = 0

  #compact(): void {
    this.#offsets = this.#offsets.slice(this.#head)
    this.#done = this.#done.slice(this.#head)
    this.#base += this.#head
    this.#head = 0
  }
}

const COMPACT_AT = 4_096

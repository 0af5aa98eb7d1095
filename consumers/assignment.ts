import { randomBytes } from 'node:crypto'
import { Lanes } from './lanes/lanes.ts'
import { OffsetTracker } from './lanes/offsets.ts'
import type { Ledger, Scope } from './ledger/ledger.ts'

/** A partition that the group has given to this member, from one assignment to its end. A new assignment is a new object. */
export class Assignment {
  readonly topic: string
  readonly partition: number
  readonly scope: Scope
  readonly lanes = new Lanes()
  readonly offsets = new OffsetTracker()
  /** False once the group has taken it away: what is under way may end, and nothing new is sent. */
  active = true
  committed: bigint | null = null
  /** The partition's next offset when it was last read. */
  high = 0n
  #token: string | null = null
  #connection = 0
  #claiming: Promise<string> | null = null
  #refused = false

  constructor(topic: string, partition: number, scope: Scope) {
    this.topic = topic
    this.partition = partition
    this.scope = scope
  }

  /** How many records are unfinished or not read yet; at most, as compaction may have taken some of them. None when all that were read are finished. */
  get lag(): number {
    const { lowest } = this.offsets
    return lowest === null ? 0 : Number(this.high - lowest)
  }

  /**
   * The owner's token for this assignment and this connection to the ledger, claimed when there is none; '' once the assignment is over
   * or the process stops.
   * @param freshHeartbeat waits until the group's coordinator confirms this member anew; false when it did not: an owner that was
   * refused may have been replaced, and takes the scope again only when it surely was not
   */
  async token(ledger: Ledger, freshHeartbeat: () => Promise<boolean>): Promise<string> {
    if (this.#token !== null && this.#connection === ledger.connection && !this.#refused) return this.#token
    this.#claiming ??= this.#claim(ledger, freshHeartbeat).finally(() => {
      this.#claiming = null
    })
    return this.#claiming
  }

  /** The ledger refused our token: another owner has taken the scope, or the ledger has forgotten us. */
  refused(token: string): void {
    if (token === this.#token) this.#refused = true
  }

  async #claim(ledger: Ledger, freshHeartbeat: () => Promise<boolean>): Promise<string> {
    if (this.#token !== null && !(await freshHeartbeat())) return ''
    if (!this.active) return ''
    const connection = ledger.connection
    const token = randomBytes(8).toString('hex')
    await ledger.claim(this.scope, token)
    this.#token = token
    this.#connection = connection
    this.#refused = false
    return token
  }
}

import { freeMemory, markAsOwnMemory } from '../../../schemas/large-value.ts'

/** A message from here on is gathered in a buffer of its own. */
export const LARGE_MESSAGE_BYTES = 1_048_576
/** A message's kind, and its length in four bytes, which counts itself but not the kind. */
export const HEAD_BYTES = 5

const COPY_DATA = 0x64

interface LargeMessage {
  readonly message: Buffer
  /** It has to be given back. */
  readonly isLent: boolean
  filled: number
}

/** Lets one large message at a time into memory, over all the connections that share it. */
export class LargeTurn {
  #holder: object | undefined
  readonly #waiting = new Map<object, () => void>()

  get isTaken(): boolean {
    return this.#holder !== undefined
  }

  /** @returns whether it is this one's now; if not, `onFree` is called once when it can be asked for again */
  take(who: object, onFree: () => void): boolean {
    if (this.#holder !== undefined) {
      if (this.#holder !== who) this.#waiting.set(who, onFree)
      return false
    }
    this.#holder = who
    return true
  }

  /** Those that wait come before the one that had it. */
  giveBack(who: object): void {
    this.#waiting.delete(who)
    if (this.#holder !== who) return
    this.#holder = undefined
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const onFree of waiting) onFree()
  }
}

/**
 * Gathers the messages of a PostgreSQL connection that are too large for one read. The package keeps every part of such a message and then
 * joins them: twice its size at once, and all of it garbage for later. Here the parts are copied into one buffer as they come.
 *
 * With a turn, large messages of a COPY or of replication come one at a time: before the next one is made, the last has to be given back
 * with {@link release}, which frees its memory at once, and until then nothing more is taken. Rows of a query are not held up, as the package
 * hands them out together.
 */
export class MessageGatherer {
  readonly #emit: (bytes: Buffer) => void
  readonly #turn: LargeTurn | undefined
  readonly #onTurn: () => void
  /** How many bytes of the present message are still to come; they are passed on as they are. */
  #passing = 0
  /** The first bytes of a head that was cut off. */
  #head: Buffer | undefined
  #large: LargeMessage | undefined
  #lent: Buffer | undefined
  /** What came while the last large message was not given back. */
  #held: Buffer | undefined

  /**
   * @param emit takes bytes that it may keep; a large message comes whole, by itself
   * @param onTurn called when another connection gave the turn back that this one waits for: {@link takeHeld} may get it now
   */
  constructor(emit: (bytes: Buffer) => void, turn?: LargeTurn, onTurn: () => void = () => {}) {
    this.#emit = emit
    this.#turn = turn
    this.#onTurn = onTurn
  }

  /** Whether nothing more may be read before {@link release}. */
  get isBlocked(): boolean {
    return this.#held !== undefined
  }

  /** @param bytes what was read; overwritten by the next read */
  take(bytes: Buffer): void {
    if (this.#held !== undefined) {
      this.#held = Buffer.concat([this.#held, bytes])
      return
    }
    let rest = this.#join(bytes)
    while (rest.length > 0) {
      if (this.#large !== undefined) {
        rest = this.#fill(this.#large, rest)
        continue
      }
      const end = this.#endOfSmall(rest)
      if (end > 0) this.#emit(Buffer.from(rest.subarray(0, end)))
      rest = rest.subarray(end)
      if (rest.length === 0) return
      if (rest.length < HEAD_BYTES) {
        this.#head = Buffer.from(rest)
        return
      }
      const isLent = this.#turn !== undefined && rest[0] === COPY_DATA
      if (isLent && !this.#turn!.take(this, this.#onTurn)) {
        this.#held = Buffer.from(rest)
        return
      }
      this.#large = { message: Buffer.allocUnsafeSlow(1 + rest.readUInt32BE(1)), isLent, filled: 0 }
    }
  }

  /** The large message emitted last is not used any more: its memory is freed, and what was held is taken. */
  release(): void {
    if (this.#lent === undefined) return
    // Left to the garbage collector, several of them would pile up before it looks.
    freeMemory(this.#lent)
    this.#lent = undefined
    this.#turn?.giveBack(this)
    this.takeHeld()
  }

  /** Nothing more comes. What was emitted stays as it is, as it may be in use. */
  end(): void {
    this.#large = undefined
    this.#lent = undefined
    this.#held = undefined
    this.#turn?.giveBack(this)
  }

  /** Takes what was held; it is held again where the turn is another's. */
  takeHeld(): void {
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) this.take(held)
  }

  #join(bytes: Buffer): Buffer {
    if (this.#head === undefined) return bytes
    const joined = Buffer.concat([this.#head, bytes])
    this.#head = undefined
    return joined
  }

  #fill(large: LargeMessage, bytes: Buffer): Buffer {
    const copied = bytes.copy(large.message, large.filled)
    large.filled += copied
    if (large.filled === large.message.length) {
      this.#large = undefined
      if (large.isLent) this.#lent = large.message
      markAsOwnMemory(large.message)
      this.#emit(large.message)
    }
    return bytes.subarray(copied)
  }

  /** Where the small messages at the front end: at the end of the bytes, at a head that is cut off, or before a large message. */
  #endOfSmall(bytes: Buffer): number {
    let at = Math.min(this.#passing, bytes.length)
    this.#passing -= at
    while (bytes.length - at >= HEAD_BYTES) {
      const length = 1 + bytes.readUInt32BE(at + 1)
      if (length >= LARGE_MESSAGE_BYTES) return at
      const next = at + length
      if (next > bytes.length) {
        this.#passing = next - bytes.length
        return bytes.length
      }
      at = next
    }
    return at
  }
}

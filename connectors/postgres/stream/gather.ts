/** A message from here on is gathered in a buffer of its own. */
export const LARGE_MESSAGE_BYTES = 1_048_576
/** A message's kind, and its length in four bytes, which counts itself but not the kind. */
const HEAD_BYTES = 5

/**
 * Gathers the messages of a PostgreSQL connection that are too large for one read. The package keeps every part of such a message and then
 * joins them: twice its size at once, and all of it garbage for later. Here the parts are copied into one buffer as they come.
 *
 * With `oneAtATime` there is one such buffer at most: before the next one is made, the last has to be given back with {@link release},
 * which frees its memory at once, and until then nothing more is taken.
 */
export class MessageGatherer {
  readonly #emit: (bytes: Buffer) => void
  readonly #oneAtATime: boolean
  /** How many bytes of the present message are still to come; they are passed on as they are. */
  #passing = 0
  /** The first bytes of a head that was cut off. */
  #head: Buffer | undefined
  #large: { readonly message: Buffer; filled: number } | undefined
  #lent: Buffer | undefined
  /** What came while the last large message was not given back. */
  #held: Buffer | undefined

  /** @param emit takes bytes that it may keep; a large message comes whole, by itself */
  constructor(emit: (bytes: Buffer) => void, oneAtATime: boolean) {
    this.#emit = emit
    this.#oneAtATime = oneAtATime
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
      if (this.#oneAtATime && this.#lent !== undefined) {
        this.#held = Buffer.from(rest)
        return
      }
      this.#large = { message: Buffer.allocUnsafeSlow(1 + rest.readUInt32BE(1)), filled: 0 }
    }
  }

  /** The large message emitted last is not used any more: its memory is freed, and what was held is taken. */
  release(): void {
    // Left to the garbage collector, several of them would pile up before it looks.
    ;(this.#lent?.buffer as ArrayBuffer | undefined)?.transfer(0)
    this.#lent = undefined
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

  #fill(large: { readonly message: Buffer; filled: number }, bytes: Buffer): Buffer {
    const copied = bytes.copy(large.message, large.filled)
    large.filled += copied
    if (large.filled === large.message.length) {
      this.#large = undefined
      if (this.#oneAtATime) this.#lent = large.message
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

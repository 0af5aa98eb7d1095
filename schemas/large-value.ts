import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { TributaryError } from './errors.ts'
import type { FieldType, Value } from './field-type.ts'

/** How much of a large value is taken at a time. */
const CHUNK_BYTES = 256 * 1024
/** How much of it is made a text of at a time: small texts are cleared away soon, and hundreds of large ones would add to its memory. */
const TEXT_BYTES = 8 * 1024
/** After so much work other things get their turn: a keep-alive must not wait for a whole value. */
const TURN_BYTES = 8 * 1024 * 1024

/** Memory with one message in it and nothing else, of which nothing is used beside the large values in it. */
const ownMemory = new WeakSet<ArrayBufferLike>()

/** Whoever makes values of these bytes may free their memory, all at once. */
export function markAsOwnMemory(bytes: Buffer): void {
  ownMemory.add(bytes.buffer)
}

/** Frees the memory of bytes; what looks at them finds nothing. Left to the garbage collector, much of it would pile up before it looks. */
export function freeMemory(bytes: Buffer): void {
  const memory = bytes.buffer
  if (memory instanceof ArrayBuffer && !memory.detached) memory.transfer(0)
}

/** As {@link freeMemory}, where it is known that nothing else uses the memory. */
export function freeOwnMemory(bytes: Buffer): void {
  if (ownMemory.has(bytes.buffer)) freeMemory(bytes)
}

/**
 * A value too large to travel in a record, as a view of the bytes it came in: nothing of it is copied before it is stored.
 * Its canonical bytes are the UTF-8 of a `string` or `json`, and the bytes of a `bytes` field.
 */
export class LargeValue {
  /** How many canonical bytes it has. */
  readonly bytes: number
  readonly #view: Buffer
  readonly #form: 'utf8' | 'hex'

  /** @param view UTF-8, or the hexadecimal digits of the bytes; nobody may write to it any more */
  constructor(view: Buffer, form: 'utf8' | 'hex') {
    this.#view = view
    this.#form = form
    this.bytes = form === 'utf8' ? view.length : view.length / 2
  }

  /**
   * The canonical bytes, in parts of at most {@link CHUNK_BYTES}. A part is valid until the next is asked for.
   * @throws TributaryError `invariant-broken` when the value was freed, as it can be under a writer that was given up
   */
  *chunks(): Generator<Buffer> {
    const view = this.#view
    // Copied, as the value may be freed while a writer that was given up still writes its last part.
    const part = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, this.bytes))
    if (this.#form === 'utf8') {
      for (let at = 0; at < this.bytes; at += CHUNK_BYTES) {
        if (view.length !== this.bytes) throw freed()
        yield part.subarray(0, view.copy(part, 0, at, at + CHUNK_BYTES))
      }
      return
    }
    for (let at = 0; at < this.bytes; at += CHUNK_BYTES) {
      const end = Math.min(at + CHUNK_BYTES, this.bytes)
      for (let from = at; from < end; from += TEXT_BYTES) {
        if (view.length !== 2 * this.bytes) throw freed()
        const length = Math.min(TEXT_BYTES, end - from)
        const digits = view.toString('latin1', 2 * from, 2 * (from + length))
        if (part.write(digits, from - at, length, 'hex') !== length) throw notHex()
      }
      yield part.subarray(0, end - at)
    }
  }

  /** The value is stored and not used any more. Its memory is freed where it is known that nothing else uses it. */
  free(): void {
    freeOwnMemory(this.#view)
  }
}

function freed(): TributaryError {
  return new TributaryError('invariant-broken', 'a large value was freed before it was read', {
    cause: new Error('its memory is gone'),
  })
}

function notHex(): TributaryError {
  return new TributaryError('invariant-broken', 'a large value of bytes is not in hexadecimal form', {
    cause: new Error('not hexadecimal'),
  })
}

/** The SHA-256 of canonical bytes, in hexadecimal: the name under which they are stored. */
export async function sha256Of(value: LargeValue): Promise<string> {
  const hash = createHash('sha256')
  let since = 0
  for (const chunk of value.chunks()) {
    hash.update(chunk)
    since += chunk.length
    if (since >= TURN_BYTES) {
      since = 0
      await turn()
    }
  }
  return hash.digest('hex')
}

/** Whether large values of a type can be held by reference. Those of other types travel in the record. */
export function canBeClaimed(type: FieldType): boolean {
  return type.kind === 'string' || type.kind === 'json' || type.kind === 'bytes'
}

/**
 * Canonical bytes as the value of their type.
 * @returns undefined when values of this type are never held by reference, or the bytes are not such a value
 */
export function valueOfBytes(type: FieldType, bytes: Buffer): Value | undefined {
  if (type.kind === 'bytes') return bytes
  if (!canBeClaimed(type)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // Not UTF-8, or longer than a text may be in this process; the caller says which field.
    return undefined
  }
}

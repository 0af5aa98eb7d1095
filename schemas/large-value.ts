import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { TributaryError } from './errors.ts'
import type { FieldType, Value } from './field-type.ts'

/** How much of a large value is taken at a time. */
const CHUNK_BYTES = 256 * 1024
/** After so much work other things get their turn: a keep-alive must not wait for a whole value. */
const TURN_BYTES = 8 * 1024 * 1024

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

  /** The canonical bytes, in parts of at most {@link CHUNK_BYTES}. A part is valid until the next is asked for. */
  *chunks(): Generator<Buffer> {
    const view = this.#view
    if (this.#form === 'utf8') {
      for (let at = 0; at < view.length; at += CHUNK_BYTES) yield view.subarray(at, at + CHUNK_BYTES)
      return
    }
    const part = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, this.bytes))
    for (let at = 0; at < view.length; at += 2 * CHUNK_BYTES) {
      const digits = view.toString('latin1', at, Math.min(at + 2 * CHUNK_BYTES, view.length))
      const written = part.write(digits, 'hex')
      if (written * 2 !== digits.length) throw notHex()
      yield part.subarray(0, written)
    }
  }
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

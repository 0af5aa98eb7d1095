import { createRequire } from 'node:module'
import type { KafkaMessage } from 'kafkajs'

/** What the library's decoder of one batch of records answers; see `protocol/recordBatch/v0/decoder` there. */
interface DecodedBatch {
  readonly firstOffset: string
  readonly lastOffsetDelta: number
  readonly records: { readonly offset: string }[]
}

type Decode = (decoder: unknown) => Promise<DecodedBatch>

const DECODER = 'kafkajs/src/protocol/recordBatch/v0/decoder.js'
const placeholders = new WeakSet<object>()
let installed = false

/**
 * Compaction takes records out of a batch but keeps the batch's span of offsets, and of each producer it keeps the last batch even when it is
 * empty. Where a fetch ends with such a batch, at the end of a segment, the library does not know how far it has read: it asks for an
 * empty batch again for ever, and goes through the rest of another one by one. So every batch whose last record is gone gets a
 * placeholder at its last offset, which {@link isPlaceholder} tells from records.
 *
 * The library loads its decoder when the first answer to a fetch arrives; this must come before.
 */
export function markCompactedAway(): void {
  if (installed) return
  installed = true
  const require = createRequire(import.meta.url)
  const decode = require(DECODER) as Decode
  const marked: Decode = async (decoder) => {
    const batch = await decode(decoder)
    const last = (BigInt(batch.firstOffset) + BigInt(batch.lastOffsetDelta)).toString()
    if (batch.records.at(-1)?.offset === last) return batch
    const placeholder = { offset: last, key: null, value: null, timestamp: '0', headers: {}, isControlRecord: false }
    placeholders.add(placeholder)
    return { ...batch, records: [...batch.records, placeholder] }
  }
  require.cache[require.resolve(DECODER)]!.exports = marked
}

/** Whether a message only says that its batch goes so far. */
export function isPlaceholder(message: KafkaMessage): boolean {
  return placeholders.has(message)
}

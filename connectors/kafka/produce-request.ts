import { createRequire } from 'node:module'
import { type BatchRecord, recordBatchBytesMax, writeRecordBatch } from './record-batch.ts'

/*
 * The library encodes a produce request with an object, a closure and several buffers of half a kilobyte for each part of each
 * record, and a checksum taken a byte at a time: at 1 kB a record that was two thirds of capture's whole work. This module puts a
 * faster encoder in the place of that one function. What is sent, when, with which sequence numbers and what happens to an
 * answer stays the library's; a test compares the bytes of both.
 */

/** What the library hands to its encoder; the parts that are used here. */
export interface ProduceOrder {
  readonly acks: number
  readonly timeout: number
  readonly transactionalId?: string | null
  /** A 64-bit number in the library's own form, which prints as decimal. */
  readonly producerId?: { toString(): string }
  readonly producerEpoch?: number
  readonly compression?: number
  readonly topicData: readonly {
    readonly topic: string
    readonly partitions: readonly {
      readonly partition: number
      readonly firstSequence?: number
      readonly messages: readonly (BatchRecord & { readonly timestamp?: unknown })[]
    }[]
  }[]
}

/** What the library sends: it reads `buffer`, and takes `buf` as the sign that this is one of its own encoders. */
interface Encoded {
  readonly buf: Buffer
  readonly buffer: Buffer
  size(): number
}

interface ProduceRequest {
  readonly encode: () => Promise<Encoded>
}

type MakeRequest = (order: ProduceOrder) => ProduceRequest

/** The one release whose insides are known here. */
const LIBRARY_VERSION = '2.2.4'
/** Version 3 of the request; 4 to 7 have the same form and are made from it. */
const REQUEST_MODULE = 'kafkajs/src/protocol/requests/produce/v3/request.js'

let installed = false

/** Takes the place of the library's encoder, for this process. Another release of the library keeps its own. */
export function installProduceEncoder(): void {
  if (installed) return
  installed = true
  const require = createRequire(import.meta.url)
  if ((require('kafkajs/package.json') as { version: string }).version !== LIBRARY_VERSION) return
  const original = require(REQUEST_MODULE) as MakeRequest
  const cached = require.cache[require.resolve(REQUEST_MODULE)]!
  cached.exports = (order: ProduceOrder): ProduceRequest =>
    isPlain(order)
      ? { ...original(order), encode: async () => encoded(encodeProduce(order, Date.now())) }
      : original(order)
}

/** Whether it is what our producers send; anything else is left to the library. */
function isPlain({ transactionalId, compression, topicData }: ProduceOrder): boolean {
  if ((transactionalId ?? null) !== null || (compression ?? 0) !== 0) return false
  return topicData.every(({ partitions }) => partitions.every(({ messages }) => messages.every(isPlainRecord)))
}

function isPlainRecord({
  key,
  value,
  headers,
  timestamp,
}: ProduceOrder['topicData'][0]['partitions'][0]['messages'][0]) {
  if (typeof key !== 'string' || timestamp !== undefined || headers === undefined) return false
  if (value !== null && !Buffer.isBuffer(value)) return false
  for (const name in headers) if (typeof headers[name] !== 'string') return false
  return true
}

function encoded(buffer: Buffer): Encoded {
  return { buf: buffer, buffer, size: () => buffer.length }
}

const NO_PRODUCER_ID = -1n
const FIXED_BYTES = 12
const TOPIC_BYTES = 6
const PARTITION_BYTES = 8

/** The body of a produce request, version 3 to 7, as Kafka's protocol guide gives it. */
export function encodeProduce(order: ProduceOrder, timestampMs: number): Buffer {
  const { acks, timeout, producerId, producerEpoch = 0, topicData } = order
  const id = producerId === undefined ? NO_PRODUCER_ID : BigInt(producerId.toString())
  const bytes = Buffer.allocUnsafeSlow(bytesMax(topicData))
  bytes.writeInt16BE(-1, 0)
  bytes.writeInt16BE(acks, 2)
  bytes.writeInt32BE(timeout, 4)
  let at = bytes.writeInt32BE(topicData.length, 8)
  for (const { topic, partitions } of topicData) {
    const length = bytes.write(topic, at + 2)
    bytes.writeInt16BE(length, at)
    at = bytes.writeInt32BE(partitions.length, at + 2 + length)
    for (const { partition, firstSequence = 0, messages } of partitions) {
      const start = at + PARTITION_BYTES
      const end = writeRecordBatch(
        bytes,
        start,
        messages,
        { producerId: id, producerEpoch, firstSequence },
        timestampMs,
      )
      bytes.writeInt32BE(partition, at)
      bytes.writeInt32BE(end - start, at + 4)
      at = end
    }
  }
  return bytes.subarray(0, at)
}

function bytesMax(topicData: ProduceOrder['topicData']): number {
  let bytes = FIXED_BYTES
  for (const { topic, partitions } of topicData) {
    bytes += TOPIC_BYTES + Buffer.byteLength(topic)
    for (const { messages } of partitions) bytes += PARTITION_BYTES + recordBatchBytesMax(messages)
  }
  return bytes
}

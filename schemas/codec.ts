import { AvroReader, AvroWriter, MalformedBytes, RECORD_BYTES_MAX, RecordTooLarge } from './avro/bytes.ts'
import { compileDeltaReader, type ReadDelta } from './avro/read-delta.ts'
import { compileDeltaWriter, unencodable } from './avro/write-delta.ts'
import type { AvroSchema } from './avro.ts'
import type { Delta } from './delta.ts'
import type { Entity } from './entity.ts'
import { TributaryError } from './errors.ts'
import type { Value } from './field-type.ts'
import type { Registry } from './registry.ts'
import { SNAPSHOT_ORDINAL, type Version } from './version.ts'

const MAGIC_BYTE = 0
/** Confluent's wire format: the magic byte and the schema's id. */
const HEAD_BYTES = 5
/** Schemas whose readers are kept: about one for each entity and version of it. */
const CACHED_READERS_MAX = 1000

/**
 * An encoder for one entity, for one thread; called for every captured change.
 * @param schema what {@link deltaSchema} gives for the entity, registered as `schemaId`
 * @param bytesMax the most bytes of a record's value, at most {@link RECORD_BYTES_MAX}
 * @returns a function from a delta to its value in Confluent's wire format, which throws TributaryError `value-unencodable`
 *   (dead-letter) naming the entity, the field and why, never the value
 * @throws TributaryError `invariant-broken` when the schema is not that of the entity
 */
export function createDeltaEncoder(
  entity: Entity,
  schema: AvroSchema,
  schemaId: number,
  bytesMax = RECORD_BYTES_MAX,
): (delta: Delta) => Buffer {
  const write = compileDeltaWriter(entity, schema)
  const writer = new AvroWriter()
  return (delta) => {
    try {
      writer.writeByte(MAGIC_BYTE)
      writer.writeInt32BE(schemaId)
      write(writer, delta)
    } catch (error) {
      writer.reset()
      if (error instanceof RecordTooLarge) throw tooLarge(entity.name, `about ${roughBytes(delta.after)}`, bytesMax)
      throw error
    }
    const value = writer.take()
    if (value.length > bytesMax) throw tooLarge(entity.name, String(value.length), bytesMax)
    return value
  }
}

function tooLarge(entity: string, bytes: string, bytesMax: number): TributaryError {
  return unencodable(entity, 'after', `has ${bytes} bytes in all, and a record may have ${bytesMax} (claims.recordMax)`)
}

/** The bytes of a whole entity as text, near enough to tell a person how far it is beyond a limit. */
function roughBytes(value: Value | Delta['after']): number {
  if (value === null) return 0
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (Buffer.isBuffer(value)) return value.length
  if (typeof value !== 'object') return 8
  return Object.values(value).reduce((sum, part) => sum + roughBytes(part as Value), 0)
}

export interface DeltaDecoder {
  /**
   * Reads a record's value with its writer's schema. At once when that schema was seen before, so that the caller need not
   * leave its loop; it may then throw, where otherwise the promise is rejected.
   * @param subject the one subject that the schema may come from: `valueSubject(topic)`
   * @throws TributaryError `record-corrupt` (dead-letter; without values), `registry-unreachable` (retry)
   */
  decode(subject: string, key: string, value: Buffer): Delta | Promise<Delta>
}

/** A decoder that asks the registry once for each schema. */
export function createDeltaDecoder(registry: Pick<Registry, 'schemaById'>): DeltaDecoder {
  // By subject and id: a schema that is known for one topic is not thereby allowed on another.
  const readers = new Map<string, ReadDelta>()
  const pending = new Map<string, Promise<ReadDelta>>()

  async function load(subject: string, id: number, cacheKey: string): Promise<ReadDelta> {
    const schema = await registry.schemaById(id, subject)
    if (schema === undefined) throw corrupt(subject, `its schema ${id} is not registered under this subject`)
    const reader = compileDeltaReader(schema)
    if (!reader) throw corrupt(subject, `its schema ${id} is not that of a delta this version of tributary can read`)
    if (readers.size >= CACHED_READERS_MAX) readers.delete(readers.keys().next().value!)
    readers.set(cacheKey, reader)
    return reader
  }

  async function decodeLater(
    subject: string,
    key: string,
    value: Buffer,
    id: number,
    cacheKey: string,
  ): Promise<Delta> {
    let loading = pending.get(cacheKey)
    if (!loading) {
      loading = load(subject, id, cacheKey).finally(() => pending.delete(cacheKey))
      pending.set(cacheKey, loading)
    }
    return readBody(await loading, subject, key, value)
  }

  return {
    decode(subject, key, value) {
      if (value.length > RECORD_BYTES_MAX) throw corrupt(subject, `it is larger than ${RECORD_BYTES_MAX} bytes`)
      if (value.length <= HEAD_BYTES || value[0] !== MAGIC_BYTE)
        throw corrupt(subject, "it is not in Confluent's wire format")
      const id = value.readInt32BE(1)
      // No registry gives such an id; some answer a request for one like a server that is broken.
      if (id < 1) throw corrupt(subject, 'its schema id is not one')
      const cacheKey = `${id} ${subject}`
      const reader = readers.get(cacheKey)
      return reader ? readBody(reader, subject, key, value) : decodeLater(subject, key, value, id, cacheKey)
    },
  }
}

function readBody(read: ReadDelta, subject: string, key: string, value: Buffer): Delta {
  const reader = new AvroReader(value, HEAD_BYTES)
  try {
    const delta = read(reader, key)
    if (reader.remaining !== 0) throw new MalformedBytes('there are bytes after its end')
    return delta
  } catch (error) {
    if (error instanceof MalformedBytes) throw corrupt(subject, error.message, error)
    throw error
  }
}

function corrupt(subject: string, why: string, cause?: unknown): TributaryError {
  return new TributaryError(
    'record-corrupt',
    `a record of ${subject} cannot be read: ${why}; find out what else writes to its topic`,
    { cause: cause ?? new Error(why) },
  )
}

const OPERATION_BYTE_MAX = 4

/**
 * The version of a delta, from its first bytes and without a schema: for a writer that reads back what it published.
 * @returns undefined when the value does not begin as a delta does
 */
export function peekVersion(value: Buffer): Version | undefined {
  if (value.length <= HEAD_BYTES || value[0] !== MAGIC_BYTE) return undefined
  const operation = value[HEAD_BYTES]!
  if (operation > OPERATION_BYTE_MAX || operation % 2 !== 0) return undefined
  const reader = new AvroReader(value, HEAD_BYTES + 1)
  try {
    const version = { epoch: reader.readLong(), position: reader.readLong(), ordinal: reader.readInt() }
    const plausible = version.epoch >= 1n && version.position >= 0n && version.ordinal >= SNAPSHOT_ORDINAL
    return plausible ? version : undefined
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined
    throw error
  }
}

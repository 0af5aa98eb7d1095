import { z } from 'zod'
import type { IncomingRecord } from '../connectors/kafka/consumer.ts'
import type { OutgoingRecord } from '../connectors/kafka/producer.ts'
import { VERSION_HEADER } from '../schemas/deletion.ts'
import type { Provenance } from '../schemas/delta.ts'
import { captureDeadLetterTopic } from '../schemas/topics.ts'
import { formatVersion, parseVersion, type Version } from '../schemas/version.ts'

/** A row that could not be encoded: enough to find it again, and no value of it but its key. */
export interface UnencodableRow {
  readonly entity: string
  readonly key: string
  readonly version: Version
  readonly source: Provenance
  /** null when it is the record as a whole. */
  readonly field: string | null
  /** Without the value. */
  readonly reason: string
}

/** What a record of `<prefix>.<source>.capture-dead-letter` holds, under the key `<entity>/<key>`. */
export interface CaptureDeadLetter extends UnencodableRow {
  /** When the row first could not be encoded, without a good version since: the commit, in microseconds since 1970. */
  readonly since: bigint
}

const REASON_CHARACTERS_MAX = 1_000

/** The record of a dead letter. There is one entry a key, the newest. */
export function deadLetterRecord(prefix: string, source: string, letter: CaptureDeadLetter): OutgoingRecord {
  const { entity, key, version, field, reason, since } = letter
  const value = JSON.stringify(
    {
      entity,
      key,
      version: formatVersion(version),
      field,
      reason: reason.slice(0, REASON_CHARACTERS_MAX),
      since,
      source: letter.source,
    },
    (_name, part) => (typeof part === 'bigint' ? part.toString() : part),
  )
  return {
    topic: captureDeadLetterTopic(prefix, source),
    key: `${entity}/${key}`,
    value: Buffer.from(value),
    headers: {},
  }
}

/**
 * The tombstone that ends the dead letter of a key: `version` of the row was published, or the row is gone. The version stays in a header
 * until the tombstone is compacted away, so that a stream that is read again does not bring the dead letter back.
 */
export function clearedRecord(
  prefix: string,
  source: string,
  row: Pick<UnencodableRow, 'entity' | 'key' | 'version'>,
): OutgoingRecord {
  return {
    topic: captureDeadLetterTopic(prefix, source),
    key: `${row.entity}/${row.key}`,
    value: null,
    headers: { [VERSION_HEADER]: formatVersion(row.version) },
  }
}

const micros = z
  .string()
  .regex(/^-?\d{1,19}$/)
  .transform(BigInt)

const letterSchema = z.object({
  entity: z.string(),
  key: z.string(),
  version: z.string().transform((text, context) => {
    const version = parseVersion(text)
    if (version !== undefined) return version
    context.addIssue({ code: 'custom', message: 'not a version' })
    return z.NEVER
  }),
  field: z.string().nullable(),
  reason: z.string(),
  since: micros.optional(),
  source: z.object({
    system: z.string(),
    instance: z.string(),
    object: z.string(),
    position: z.string(),
    transaction: z.string().nullable(),
    committedAt: micros,
    capturedAt: micros,
  }),
})

/** A record's value as a dead letter; undefined when it is none. */
export function parseDeadLetter(value: Buffer): CaptureDeadLetter | undefined {
  let json: unknown
  try {
    json = JSON.parse(value.toString())
  } catch {
    return undefined
  }
  const parsed = letterSchema.safeParse(json)
  if (!parsed.success) return undefined
  const { since, ...letter } = parsed.data
  return { ...letter, since: since ?? letter.source.committedAt }
}

/** The version that a tombstone was written for; undefined when it does not say. */
export function clearedVersion(headers: IncomingRecord['headers']): Version | undefined {
  return parseVersion(headers[VERSION_HEADER]?.toString() ?? '')
}

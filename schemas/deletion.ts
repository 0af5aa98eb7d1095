import { z } from 'zod'
import type { Change, Deletion, Provenance } from './delta.ts'
import { TributaryError } from './errors.ts'
import { formatVersion, parseVersion, type Version } from './version.ts'

/** The headers of a delete, whose value is null. The id is on deltas too. */
export const ID_HEADER = 'tributary-id'
export const VERSION_HEADER = 'tributary-version'
const SOURCE_HEADER = 'tributary-source'
const ORIGIN_HEADER = 'tributary-origin'

/** The most bytes of one of these headers. */
export const HEADER_BYTES_MAX = 4096

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

const microseconds = z
  .string()
  .regex(/^-?\d{1,19}$/)
  .transform(BigInt)
  .refine((time) => time >= INT64_MIN && time <= INT64_MAX)

/** The source header: a JSON object; times are microseconds as decimal text, which JSON numbers could not hold. */
const SOURCE = z.strictObject({
  system: z.string(),
  instance: z.string(),
  object: z.string(),
  position: z.string(),
  transaction: z.string().nullable(),
  committedAt: microseconds,
  capturedAt: microseconds,
})

/**
 * A change's name, the same at every republication: `<source instance>/<object>/<version>`. It has no key, which may be personal data:
 * the rows of one snapshot share a version, so only together with the record's key is it unique.
 */
export function deltaId(change: Change): string {
  return `${change.source.instance}/${change.source.object}/${formatVersion(change.version)}`
}

/**
 * The headers of a delete's record.
 * @throws TributaryError `value-unencodable` (dead-letter) when one would be larger than {@link HEADER_BYTES_MAX}
 */
export function deletionHeaders(deletion: Deletion): Record<string, string> {
  const { version, source, origin } = deletion
  const headers: Record<string, string> = {
    [ID_HEADER]: deltaId(deletion),
    [VERSION_HEADER]: formatVersion(version),
    [SOURCE_HEADER]: formatSource(source),
  }
  if (origin !== null) headers[ORIGIN_HEADER] = origin
  for (const [name, text] of Object.entries(headers))
    if (Buffer.byteLength(text) > HEADER_BYTES_MAX)
      throw new TributaryError(
        'value-unencodable',
        `the header ${name} of a delete of ${deletion.entity} would be larger than ${HEADER_BYTES_MAX} bytes; shorten the names at the source`,
        { cause: new Error('header too large') },
      )
  return headers
}

function formatSource(source: Provenance): string {
  const { system, instance, object, position, transaction, committedAt, capturedAt } = source
  const times = { committedAt: committedAt.toString(), capturedAt: capturedAt.toString() }
  return JSON.stringify({ system, instance, object, position, transaction, ...times })
}

/**
 * The delete that a record with a null value stands for.
 * @throws TributaryError `record-corrupt` (dead-letter) when a header is missing or ill-formed, such as in a null written by hand
 */
export function parseDeletion(
  entity: string,
  key: string,
  headers: Readonly<Record<string, Buffer | string | undefined>>,
): Deletion {
  return {
    op: 'delete',
    entity,
    key,
    version: readVersion(entity, required(entity, headers, VERSION_HEADER)),
    source: readSource(entity, required(entity, headers, SOURCE_HEADER)),
    origin: optional(entity, headers, ORIGIN_HEADER) ?? null,
  }
}

function readVersion(entity: string, text: string): Version {
  const version = parseVersion(text)
  if (!version || version.epoch < 1n || version.epoch > INT64_MAX || version.position > INT64_MAX)
    throw corrupt(entity, `${VERSION_HEADER} is not a version`)
  return version
}

function readSource(entity: string, text: string): Provenance {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // Not as the cause: the error of JSON.parse quotes the text.
    throw corrupt(entity, `${SOURCE_HEADER} is not JSON`)
  }
  const source = SOURCE.safeParse(json)
  if (!source.success) {
    const places = source.error.issues.map((issue) => issue.path.join('.') || 'the object')
    throw corrupt(entity, `${SOURCE_HEADER} is ill-formed (${[...new Set(places)].join(', ')})`)
  }
  return source.data
}

function required(
  entity: string,
  headers: Readonly<Record<string, Buffer | string | undefined>>,
  name: string,
): string {
  const text = optional(entity, headers, name)
  if (text === undefined) throw corrupt(entity, `${name} is missing`)
  return text
}

function optional(
  entity: string,
  headers: Readonly<Record<string, Buffer | string | undefined>>,
  name: string,
): string | undefined {
  const value = headers[name]
  if (value === undefined) return undefined
  // kafkajs gives an array for a header that is there twice, whatever its type says here.
  if (typeof value !== 'string' && !Buffer.isBuffer(value)) throw corrupt(entity, `${name} is there more than once`)
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  if (bytes.length > HEADER_BYTES_MAX) throw corrupt(entity, `${name} is larger than ${HEADER_BYTES_MAX} bytes`)
  try {
    return UTF8.decode(bytes)
  } catch {
    throw corrupt(entity, `${name} is not UTF-8`)
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function corrupt(entity: string, why: string): TributaryError {
  return new TributaryError(
    'record-corrupt',
    `a delete of ${entity} cannot be read: ${why}; find out what else writes to its topic`,
    { cause: new Error(why) },
  )
}

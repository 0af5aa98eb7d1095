import { RECORD_BYTES_MAX } from '../../../schemas/avro/bytes.ts'
import { parseDurationMs, parseSizeBytes } from '../notation.ts'
import { isMapping, type Mapping, mappingOf, type Report, textOf } from './unchecked-values.ts'

/** The least that a record may be limited to: room for many ordinary fields. */
const RECORD_BYTES_MIN = 64 * 1024

const NEEDED: Readonly<Record<string, readonly string[]>> = {
  folder: ['path'],
  s3: ['endpoint', 'bucket', 'accessKeyId', 'secretAccessKey'],
}
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  folder: ['type', 'keep', 'path'],
  s3: ['type', 'keep', 'endpoint', 'bucket', 'region', 'prefix', 'accessKeyId', 'secretAccessKey'],
}

/** Checks that a blob store has what its type needs, and that the limits of records and claims fit together. */
export function checkBlobs(root: Mapping, report: Report): void {
  const type = textOf(mappingOf(root.blobs).type)
  if (isMapping(root.blobs) && type !== undefined && Object.hasOwn(NEEDED, type)) checkStore(root.blobs, type, report)
  const claims = mappingOf(root.claims)
  const recordMax = parseSizeBytes(textOf(claims.recordMax) ?? '8MB')
  const above = parseSizeBytes(textOf(claims.above) ?? '256KB')
  if (recordMax !== undefined && (recordMax < RECORD_BYTES_MIN || recordMax > RECORD_BYTES_MAX))
    report(['claims', 'recordMax'], 'must be from 64KB to 11MB: topics take 12MB with the key and headers')
  else if (recordMax !== undefined && above !== undefined && above > recordMax)
    report(
      ['claims', textOf(claims.above) === undefined ? 'recordMax' : 'above'],
      '`above` is more than `recordMax`, so that values between them could neither travel nor be stored',
      'lower `above`',
    )
}

/** Less could be shorter than a record may be on its way from the store to its topic. */
const KEEP_MS_MIN = 86_400_000

function checkStore(store: Mapping, type: string, report: Report): void {
  const keepMs = parseDurationMs(textOf(store.keep) ?? '')
  if (keepMs !== undefined && keepMs < KEEP_MS_MIN) report(['blobs', 'keep'], 'must be at least `1d`')
  for (const field of NEEDED[type]!)
    if (store[field] === undefined)
      report(['blobs'], `\`${field}\` is missing`, `a store of type ${type} needs it`, 'key')
  for (const field of Object.keys(store))
    if (!ALLOWED[type]!.includes(field) && Object.values(ALLOWED).some((fields) => fields.includes(field)))
      report(['blobs', field], `a store of type ${type} has no \`${field}\``, 'remove it', 'key')
}

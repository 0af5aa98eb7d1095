import { isUtf8 } from 'node:buffer'
import type { IncomingRecord } from '../connectors/kafka/consumer.ts'
import { valueSubject } from '../schemas/avro.ts'
import { type DeltaDecoder, peekVersion } from '../schemas/codec.ts'
import { parseDeletion, VERSION_HEADER } from '../schemas/deletion.ts'
import type { Change } from '../schemas/delta.ts'
import { TributaryError } from '../schemas/errors.ts'
import { KEY_BYTES_MAX } from '../schemas/key.ts'
import { parseVersion, type Version } from '../schemas/version.ts'
import type { Waiting } from './lanes.ts'

/** What a lane needs to know of a record, without reading its body: most bodies of a backlog are coalesced away. */
export function readHead(record: IncomingRecord): { key: string; version: Version } | null {
  if (record.key === null || record.key.length === 0 || record.key.length > KEY_BYTES_MAX) return null
  // Bytes that are no text would all become the same replacement characters: two keys in one lane and one ledger entry.
  if (!isUtf8(record.key)) return null
  const version = record.value === null ? versionOfDelete(record) : peekVersion(record.value)
  return version === undefined ? null : { key: record.key.toString('utf8'), version }
}

function versionOfDelete(record: IncomingRecord): Version | undefined {
  return parseVersion(record.headers[VERSION_HEADER]?.toString() ?? '')
}

/**
 * Reads a whole record.
 * @returns the change, or the error with fate `dead-letter` that says why there is none
 * @throws TributaryError `registry-unreachable`: not the record's fault
 */
export async function decode(
  decoder: DeltaDecoder,
  entity: string,
  topic: string,
  record: Waiting,
): Promise<Change | TributaryError> {
  try {
    if (record.value === null) return parseDeletion(entity, record.key, record.headers)
    return await decoder.decode(valueSubject(topic), record.key, record.value)
  } catch (error) {
    if (error instanceof TributaryError && error.fate === 'dead-letter') return error
    throw error
  }
}

import type { IncomingRecord } from '../connectors/kafka/consumer.ts'
import { valueSubject } from '../schemas/avro.ts'
import type { DeltaDecoder } from '../schemas/codec.ts'
import { parseDeletion } from '../schemas/deletion.ts'
import type { Change } from '../schemas/delta.ts'
import { TributaryError } from '../schemas/errors.ts'
import { recordKey, recordVersion } from '../schemas/record-head.ts'
import type { Version } from '../schemas/version.ts'
import type { Waiting } from './lanes/lanes.ts'

/** What a lane needs to know of a record, without reading its body: most bodies of a backlog are coalesced away. */
export function readHead(record: IncomingRecord): { key: string; version: Version } | null {
  const key = recordKey(record.key)
  if (key === undefined) return null
  const version = recordVersion(record.value, record.headers)
  return version === undefined ? null : { key, version }
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

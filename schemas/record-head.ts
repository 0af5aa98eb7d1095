import { isUtf8 } from 'node:buffer'
import { peekVersion } from './codec.ts'
import { VERSION_HEADER } from './deletion.ts'
import { KEY_BYTES_MAX } from './key.ts'
import { parseVersion, type Version } from './version.ts'

/**
 * The key of an entity topic's record; undefined when it is none that a source could have given. Bytes that are no text would all become
 * the same replacement characters: two keys would be taken for one.
 */
export function recordKey(key: Buffer | null): string | undefined {
  if (key === null || key.length === 0 || key.length > KEY_BYTES_MAX || !isUtf8(key)) return undefined
  return key.toString('utf8')
}

/** The version of an entity topic's record, without reading its body or asking for its schema; undefined when it tells none. */
export function recordVersion(
  value: Buffer | null,
  headers: Readonly<Record<string, Buffer | string | undefined>>,
): Version | undefined {
  if (value !== null) return peekVersion(value)
  const version = parseVersion(headers[VERSION_HEADER]?.toString() ?? '')
  return version !== undefined && version.epoch >= 1n ? version : undefined
}

import { createHash } from 'node:crypto'

/** The most bytes a record key may have. */
export const KEY_BYTES_MAX = 4096

/** A longer name is kept as its hash. */
const NAME_CHARACTERS_MAX = 80

/** The name of a dead letter for who keeps many of them: what it takes is bounded, and two stay two. */
export function boundedName(name: string): string {
  return name.length <= NAME_CHARACTERS_MAX ? name : `#${createHash('sha256').update(name).digest('base64url')}`
}

/**
 * The record key of an object: its one key value as plain text, or a JSON array of strings when there are several.
 * Never Avro: a schema id inside the key would change the key with its schema, and break compaction and partitioning.
 */
export function formatKey(parts: readonly string[]): string {
  return parts.length === 1 ? parts[0]! : JSON.stringify(parts)
}

/** The inverse of {@link formatKey} for a key of `count` parts; undefined when the text is not such a key. */
export function parseKey(key: string, count: number): readonly string[] | undefined {
  if (count === 1) return [key]
  let parts: unknown
  try {
    parts = JSON.parse(key)
  } catch {
    return undefined
  }
  if (!Array.isArray(parts) || parts.length !== count || parts.some((part) => typeof part !== 'string'))
    return undefined
  return parts as string[]
}

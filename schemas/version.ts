/**
 * A delta's place in its entity's history, totally ordered per key.
 * - `epoch`: grows when a source's history cannot be continued (≥ 1)
 * - `position`: the place in the source's log; for PostgreSQL the commit LSN (≥ 0)
 * - `ordinal`: the change's index in its transaction; -1 for a snapshot row, which comes before every change at its position
 */
export interface Version {
  readonly epoch: bigint
  readonly position: bigint
  readonly ordinal: number
}

export const SNAPSHOT_ORDINAL = -1

/** Negative when `a` is older than `b`, positive when newer, 0 when equal. */
export function compareVersions(a: Version, b: Version): number {
  if (a.epoch !== b.epoch) return a.epoch < b.epoch ? -1 : 1
  if (a.position !== b.position) return a.position < b.position ? -1 : 1
  return a.ordinal - b.ordinal
}

/** The length of {@link versionBytes}. */
export const VERSION_BYTES = 20

const ORDINAL_OFFSET = 2 ** 31
export const ORDINAL_MAX = ORDINAL_OFFSET - 1

/** A version as 20 bytes that sort as versions do: what Redis scripts and SQL compare (Lua numbers are doubles). */
export function versionBytes(version: Version): Buffer {
  const bytes = Buffer.allocUnsafe(VERSION_BYTES)
  writeVersion(version, bytes)
  return bytes
}

/** {@link versionBytes} into a buffer of 20 bytes that the caller keeps. */
export function writeVersion(version: Version, bytes: Buffer): void {
  bytes.writeBigUInt64BE(version.epoch, 0)
  bytes.writeBigUInt64BE(version.position, 8)
  bytes.writeUInt32BE(version.ordinal + ORDINAL_OFFSET, 16)
}

/** The inverse of {@link versionBytes}. */
export function versionFromBytes(bytes: Buffer): Version {
  return {
    epoch: bytes.readBigUInt64BE(0),
    position: bytes.readBigUInt64BE(8),
    ordinal: bytes.readUInt32BE(16) - ORDINAL_OFFSET,
  }
}

/** `epoch/position/ordinal` in decimal: the form in headers, logs and `--json`. */
export function formatVersion(version: Version): string {
  return `${version.epoch}/${version.position}/${version.ordinal}`
}

/** The inverse of {@link formatVersion}; undefined when the text is not a version. */
export function parseVersion(text: string): Version | undefined {
  const match = /^(\d{1,19})\/(\d{1,19})\/(-1|\d{1,10})$/.exec(text)
  if (!match) return undefined
  const ordinal = Number(match[3])
  if (ordinal >= ORDINAL_OFFSET) return undefined
  return { epoch: BigInt(match[1]!), position: BigInt(match[2]!), ordinal }
}

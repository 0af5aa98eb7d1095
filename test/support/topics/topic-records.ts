import { AvroWriter } from '../../../schemas/avro/bytes.ts'
import { VERSION_HEADER } from '../../../schemas/deletion.ts'
import { formatVersion, type Version } from '../../../schemas/version.ts'

const HEAD = Buffer.from([0, 0, 0, 0, 7, 2])

/** The beginning of a delta, which is all that is read for its version. */
export function valueAt(version: Version, bytes = 0): Buffer {
  const writer = new AvroWriter()
  writer.writeLong(version.epoch)
  writer.writeLong(version.position)
  writer.writeLong(BigInt(version.ordinal))
  return Buffer.concat([HEAD, writer.take(), Buffer.alloc(bytes)])
}

/** The headers of a delete, as far as its version is asked for. */
export function deleteAt(version: Version): Record<string, string> {
  return { [VERSION_HEADER]: formatVersion(version) }
}

/** A version whose position is all that matters. */
export function at(position: number): Version {
  return { epoch: 1n, position: BigInt(position), ordinal: 0 }
}

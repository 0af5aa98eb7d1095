import type { Value } from '../field-type.ts'
import type { AvroReader } from './bytes.ts'
import { readDecimal } from './decimal.ts'
import type { Representation } from './layout.ts'

export type ReadValue = (reader: AvroReader) => Value

/** How values of `["null", T]` are read. */
export function readNullable(representation: Representation): ReadValue {
  const one = readScalar(representation)
  const read = representation.array ? arrayReader(one) : one
  return (reader) => (reader.readIsNull() ? null : read(reader))
}

function readScalar({ primitive, logical, precision, scale }: Representation): ReadValue {
  switch (primitive) {
    case 'string':
      return (reader) => reader.readString()
    case 'boolean':
      return (reader) => reader.readBoolean()
    case 'int':
      return (reader) => reader.readInt()
    case 'long':
      return (reader) => reader.readLong()
    case 'double':
      return (reader) => reader.readDouble()
    case 'bytes':
      return logical === 'decimal' ? (reader) => readDecimal(reader, precision, scale) : (reader) => reader.readBytes()
  }
}

function arrayReader(one: ReadValue): ReadValue {
  return (reader) => {
    const items: Value[] = []
    for (let count = reader.readBlock(); count > 0; count = reader.readBlock())
      for (; count > 0; count--) items.push(reader.readIsNull() ? null : one(reader))
    return items
  }
}

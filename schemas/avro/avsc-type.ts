import avsc, { type Type } from 'avsc'
import type { AvroSchema } from '../avro.ts'

/**
 * avsc's type for a schema, with every `long` a bigint. It parses and checks schemas and skips what this code does not know;
 * records themselves are read and written by avro/bytes.ts, which knows the bounds of its input.
 * @throws Error (of avsc) when the schema is not valid Avro
 */
export function avscType(schema: AvroSchema): Type {
  // A hook, because avsc looks up a long with a logical type in no registry: it would become a plain one.
  const typeHook = (part: unknown) => (isLong(part) ? bigintLong : undefined)
  return avsc.Type.forSchema(schema as avsc.Schema, { typeHook: typeHook as (part: avsc.Schema) => Type | undefined })
}

function isLong(part: unknown): boolean {
  return part === 'long' || (typeof part === 'object' && part !== null && 'type' in part && part.type === 'long')
}

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

/**
 * A long that is always a bigint. `noUnpack`: avsc hands over the variable-length bytes as they are, because its own
 * unpacking corrupts odd negative values below -2^52.
 */
const bigintLong = avsc.types.LongType.__with(
  {
    fromBuffer: (bytes: Buffer): bigint => {
      let zigzag = 0n
      for (let index = bytes.length - 1; index >= 0; index--) zigzag = (zigzag << 7n) | BigInt(bytes[index]! & 0x7f)
      return (zigzag >> 1n) ^ -(zigzag & 1n)
    },
    toBuffer: (value: bigint): Buffer => {
      const bytes: number[] = []
      let zigzag = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
      while (zigzag > 0x7fn) {
        bytes.push(Number(zigzag & 0x7fn) | 0x80)
        zigzag >>= 7n
      }
      bytes.push(Number(zigzag))
      return Buffer.from(bytes)
    },
    fromJSON: (value: number | string): bigint => BigInt(value),
    toJSON: (value: bigint): string => value.toString(),
    isValid: (value: unknown): boolean => typeof value === 'bigint' && value >= INT64_MIN && value <= INT64_MAX,
    compare: (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0),
  },
  true,
)

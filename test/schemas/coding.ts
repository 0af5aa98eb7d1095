import { type AvroSchema, deltaSchema } from '../../schemas/avro.ts'
import { createDeltaDecoder, createDeltaEncoder, type DeltaDecoder } from '../../schemas/codec.ts'
import type { Delta } from '../../schemas/delta.ts'
import type { Entity } from '../../schemas/entity.ts'
import { TributaryError } from '../../schemas/errors.ts'

export const SUBJECT = 'shop.order-value'

/** A record with the id of schema 7. */
export function encodeOne(entity: Entity, delta: Delta): Buffer {
  return createDeltaEncoder(entity, deltaSchema('shop', entity), 7)(delta)
}

/** Knows schema 7, for {@link SUBJECT} alone. */
export function decoderOf(schema: AvroSchema): DeltaDecoder {
  return createDeltaDecoder({
    schemaById: async (id, subject) => (id === 7 && subject === SUBJECT ? schema : undefined),
  })
}

export async function roundTrip(entity: Entity, delta: Delta): Promise<Delta> {
  return decoderOf(deltaSchema('shop', entity)).decode(SUBJECT, delta.key, encodeOne(entity, delta))
}

export async function errorOf(act: () => unknown): Promise<TributaryError> {
  try {
    await act()
  } catch (error) {
    if (error instanceof TributaryError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

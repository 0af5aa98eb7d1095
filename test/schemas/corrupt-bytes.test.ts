import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { avscType } from '../../schemas/avro/avsc-type.ts'
import { deltaSchema } from '../../schemas/avro.ts'
import { createDeltaDecoder, createDeltaEncoder, type DeltaDecoder } from '../../schemas/codec.ts'
import type { Delta } from '../../schemas/delta.ts'
import type { Entity } from '../../schemas/entity.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { deltas } from './sample.ts'

const SUBJECT = 'shop.order-value'
const HEAD_BYTES = 5

interface Sample {
  readonly value: Buffer
  readonly schema: ReturnType<typeof deltaSchema>
  readonly decoder: DeltaDecoder
}

async function sampleOf(entity: Entity, delta: Delta): Promise<Sample> {
  const schema = deltaSchema('shop', entity)
  const value = createDeltaEncoder(entity, schema, 7)(delta)
  const decoder = createDeltaDecoder({ schemaById: async () => schema })
  // From here on it answers at once.
  await decoder.decode(SUBJECT, delta.key, value)
  return { value, schema, decoder }
}

/** What is read; undefined when it is refused as corrupt. Anything else is thrown on. */
function readOf({ decoder }: Sample, bytes: Buffer): Delta | undefined {
  try {
    return decoder.decode(SUBJECT, 'key', bytes) as Delta
  } catch (error) {
    if (error instanceof TributaryError && error.code === 'record-corrupt') return undefined
    throw error
  }
}

describe('the bytes of any delta', () => {
  test('are read by the registry’s own library, head and all', async () => {
    await fc.assert(
      fc.asyncProperty(deltas, async ({ entity, delta }) => {
        const { value, schema } = await sampleOf(entity, delta)
        const library = new SchemaRegistry({ host: 'http://127.0.0.1:9' })
        library.cache.setSchema(7, SchemaType.AVRO, avscType(schema))
        const read = await library.decode(value)
        expect({ ...read.version }).toStrictEqual(delta.version)
        expect(read.op).toBe(delta.op)
        expect({ ...read.source }).toStrictEqual(delta.source)
        expect(avscType(schema).toBuffer(read)).toEqual(value.subarray(HEAD_BYTES))
      }),
      { numRuns: 60, endOnFailure: true },
    )
  })

  test('are corrupt when anything is missing at their end, or there is more', async () => {
    await fc.assert(
      fc.asyncProperty(deltas, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 9 }), async (any, cut, more) => {
        const sample = await sampleOf(any.entity, any.delta)
        const { value } = sample
        expect(readOf(sample, value.subarray(0, cut % value.length))).toBeUndefined()
        expect(readOf(sample, Buffer.concat([value, more]))).toBeUndefined()
      }),
      { numRuns: 200, endOnFailure: true },
    )
  })

  test('never say to us what they do not say to avsc, whatever becomes of them', async () => {
    const damage = fc.record({
      at: fc.nat(),
      remove: fc.nat({ max: 3 }),
      put: fc.uint8Array({ maxLength: 3 }),
    })
    let readable = 0
    await fc.assert(
      fc.asyncProperty(deltas, fc.array(damage, { minLength: 1, maxLength: 3 }), async ({ entity, delta }, damages) => {
        const sample = await sampleOf(entity, delta)
        let bytes = sample.value
        for (const { at, remove, put } of damages) {
          const place = HEAD_BYTES + (at % (bytes.length - HEAD_BYTES + 1))
          bytes = Buffer.concat([bytes.subarray(0, place), put, bytes.subarray(place + remove)])
        }
        const read = readOf(sample, bytes)
        if (read === undefined) return
        readable++
        const other = avscType(sample.schema).fromBuffer(bytes.subarray(HEAD_BYTES))
        expect({ ...other.version }).toStrictEqual(read.version)
        expect(other.op).toBe(read.op)
        expect({ ...other.source }).toStrictEqual(read.source)
        expect(other.changed).toStrictEqual(read.changed)
        expect(other.origin).toBe(read.origin)
        for (const { name, type } of entity.fields) {
          const [theirs, ours] = [other.after[name.replace('-', '_')], read.after[name] ?? null]
          if (type.kind !== 'decimal' && type.kind !== 'array') expect(ours).toStrictEqual(theirs)
          else expect(ours === null).toBe(theirs === null)
        }
      }),
      { numRuns: 600, endOnFailure: true },
    )
    expect(readable).toBeGreaterThan(20)
  })
})

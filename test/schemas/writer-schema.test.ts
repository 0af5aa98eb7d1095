import { expect, test } from 'vitest'
import { type AvroSchema, deltaSchema } from '../../schemas/avro.ts'
import { createDeltaDecoder } from '../../schemas/codec.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { decoderOf, encodeOne, errorOf, roundTrip, SUBJECT } from './coding.ts'
import { deltaOf, entityOf } from './sample.ts'

test('a field that the writer did not have is absent, not null', async () => {
  const before = entityOf('order', { id: 'string' })
  const read = await roundTrip(before, deltaOf('order', { id: '1' }))
  expect(Object.keys(read.after)).toStrictEqual(['id'])
})

test('a part of the envelope that a later version added is skipped', async () => {
  const entity = entityOf('order', { id: 'string' })
  const delta = deltaOf('order', { id: '1' })
  const schema = deltaSchema('shop', entity)
  const part = { name: 'trace', type: { type: 'array', items: ['null', 'long', 'string'] } }
  const later = { ...schema, fields: [...(schema.fields as AvroSchema[]), part] }
  const extra = Buffer.from([4, 4, 2, 65, 2, 3, 0])
  const value = Buffer.concat([encodeOne(entity, delta), extra])
  expect(await decoderOf(later).decode(SUBJECT, '1', value)).toStrictEqual(delta)
  const cut = value.subarray(0, -2)
  expect((await errorOf(() => decoderOf(later).decode(SUBJECT, '1', cut))).code).toBe('record-corrupt')
})

test('the registry is asked once, and then the answer comes at once', async () => {
  const entity = entityOf('order', { id: 'string' })
  const delta = deltaOf('order', { id: '1' })
  const value = encodeOne(entity, delta)
  let asked = 0
  const decoder = createDeltaDecoder({
    schemaById: async () => {
      asked++
      return deltaSchema('shop', entity)
    },
  })
  await Promise.all([decoder.decode(SUBJECT, '1', value), decoder.decode(SUBJECT, '1', value)])
  expect(decoder.decode(SUBJECT, '1', value)).toStrictEqual(delta)
  expect(asked).toBe(1)
})

test('a registry that is down is not a corrupt record, and is asked again', async () => {
  const entity = entityOf('order', { id: 'string' })
  const delta = deltaOf('order', { id: '1' })
  let up = false
  const decoder = createDeltaDecoder({
    schemaById: async () => {
      if (!up) throw new TributaryError('registry-unreachable', 'down')
      return deltaSchema('shop', entity)
    },
  })
  const value = encodeOne(entity, delta)
  const error = await errorOf(() => decoder.decode(SUBJECT, '1', value))
  expect([error.code, error.fate]).toStrictEqual(['registry-unreachable', 'retry'])
  up = true
  expect(await decoder.decode(SUBJECT, '1', value)).toStrictEqual(delta)
})

test('a schema known for one subject is not thereby allowed on another', async () => {
  const entity = entityOf('order', { id: 'string' })
  const decoder = decoderOf(deltaSchema('shop', entity))
  const value = encodeOne(entity, deltaOf('order', { id: '1' }))
  await decoder.decode(SUBJECT, '1', value)
  const error = await errorOf(() => decoder.decode('shop.invoice-value', '1', value))
  expect(error.code).toBe('record-corrupt')
})

test.each<[string, AvroSchema]>([
  ['a string', 'string'],
  ['text that is no schema', '{'],
  ['another record', { type: 'record', name: 'X', fields: [{ name: 'after', type: 'string' }] }],
  ['a delta without a version', without('version')],
  ['a delta of a type that is unknown', retyped('float')],
  ['a delta that is not valid Avro', retyped('lung')],
])('%s under the right subject is a corrupt record', async (_what, schema) => {
  const entity = entityOf('order', { id: 'string' })
  const value = encodeOne(entity, deltaOf('order', { id: '1' }))
  expect((await errorOf(() => decoderOf(schema).decode(SUBJECT, '1', value))).code).toBe('record-corrupt')
})

function without(part: string): AvroSchema {
  const schema = deltaSchema('shop', entityOf('order', { id: 'string' }))
  const fields = (schema.fields as { name: string }[]).filter((field) => field.name !== part)
  return { ...schema, fields }
}

function retyped(type: string): AvroSchema {
  const schema = deltaSchema('shop', entityOf('order', { id: 'json' }))
  return JSON.parse(
    JSON.stringify(schema).replace('["null","string"],"default":null,"tributary":"json"', `["null","${type}"]`),
  )
}

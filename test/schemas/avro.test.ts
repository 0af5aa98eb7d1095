import avsc from 'avsc'
import { expect, test } from 'vitest'
import { deltaSchema, scalarSchema, valueSubject } from '../../schemas/avro.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { parseFieldType, type ScalarType } from '../../schemas/field-type.ts'
import { entityOf, SCALARS } from './sample.ts'

const order = entityOf('order', { id: 'int64', total: 'decimal(12,2)', tags: 'string[]' })

function partsOf(schema: ReturnType<typeof deltaSchema>): readonly Record<string, unknown>[] {
  return schema.fields as readonly Record<string, unknown>[]
}

function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof TributaryError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'nothing was thrown'
}

test('op and version come first, because peekVersion reads them without a schema', () => {
  const names = partsOf(deltaSchema('shop', order)).map((part) => part.name)
  expect(names).toStrictEqual(['op', 'version', 'changed', 'after', 'source', 'origin', 'claims'])
})

test('every field of the entity may be null, is null by default and tells its declared type', () => {
  const after = partsOf(deltaSchema('shop', order))[3]!.type as { fields: unknown }
  expect(after.fields).toStrictEqual([
    { name: 'id', type: ['null', 'long'], default: null, tributary: 'int64' },
    {
      name: 'total',
      type: ['null', { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 2 }],
      default: null,
      tributary: 'decimal(12,2)',
    },
    {
      name: 'tags',
      type: ['null', { type: 'array', items: ['null', 'string'] }],
      default: null,
      tributary: 'string[]',
    },
  ])
})

test.each([
  ['string', 'string'],
  ['boolean', 'boolean'],
  ['int32', 'long'],
  ['int64', 'long'],
  ['numeric', 'string'],
  ['double', 'double'],
  ['date', { type: 'int', logicalType: 'date' }],
  ['time', { type: 'long', logicalType: 'time-micros' }],
  ['timestamp', { type: 'long', logicalType: 'local-timestamp-micros' }],
  ['timestamptz', { type: 'long', logicalType: 'timestamp-micros' }],
  ['uuid', { type: 'string', logicalType: 'uuid' }],
  ['bytes', 'bytes'],
  ['json', 'string'],
  ['enum(open,paid)', 'string'],
])('%s is represented as the design says', (type, schema) => {
  expect(scalarSchema(parseFieldType(type) as ScalarType)).toStrictEqual(schema)
})

test('the schema of every type is valid Avro', () => {
  const fields = SCALARS.flatMap((type, index) => [
    [`a${index}`, type],
    [`b${index}`, `${type}[]`],
  ])
  avsc.Type.forSchema(deltaSchema('shop', entityOf('order', Object.fromEntries(fields))) as avsc.Schema)
})

test('names that Avro does not know are mapped, and the entity’s name is kept', () => {
  const schema = deltaSchema('acme-1.shop', entityOf('sales-order', { 'first name': 'string', '2nd': 'string' }))
  const after = partsOf(schema)[3]!.type as { fields: Record<string, unknown>[] }
  expect(after.fields.map((field) => [field.name, field['tributary.field']])).toStrictEqual([
    ['first_name', 'first name'],
    ['_2nd', '2nd'],
  ])
  expect(schema.namespace).toBe('tributary.acme_1.shop')
  expect(schema['tributary.entity']).toBe('sales-order')
  avsc.Type.forSchema(schema as avsc.Schema)
})

test('two entities never share a record name', () => {
  const names = ['a-b', 'a_b', 'a.b', 'a_b_After'].flatMap((name) =>
    JSON.stringify(deltaSchema('shop', entityOf(name, { id: 'string' }))).match(/"name":"[^"]+_(Delta|After)"/g),
  )
  expect(names).toHaveLength(8)
  expect(new Set(names).size).toBe(8)
})

test('two fields with one Avro name are refused, as is the prototype', () => {
  const clash = entityOf('order', { 'a-b': 'string', a_b: 'string' })
  expect(codeOf(() => deltaSchema('shop', clash))).toMatch(/^declaration-invalid: .*"a-b" and "a_b"/)
  const prototype = { ...order, fields: [{ ...order.fields[0]!, name: '__proto__' }] }
  expect(codeOf(() => deltaSchema('shop', prototype))).toMatch(/^declaration-invalid/)
})

test('fields can be added and removed: each schema reads the other’s records', () => {
  const less = avsc.Type.forSchema(deltaSchema('shop', entityOf('order', { id: 'int64' })) as avsc.Schema)
  const more = avsc.Type.forSchema(deltaSchema('shop', order) as avsc.Schema)
  less.createResolver(more)
  more.createResolver(less)
})

test('the same declaration gives the same text', () => {
  expect(JSON.stringify(deltaSchema('shop', structuredClone(order)))).toBe(JSON.stringify(deltaSchema('shop', order)))
})

test('the subject is the topic’s, for values', () => {
  expect(valueSubject('shop.order')).toBe('shop.order-value')
})

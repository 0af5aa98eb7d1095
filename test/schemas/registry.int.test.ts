import { randomUUID } from 'node:crypto'
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import { expect, test } from 'vitest'
import { applySchemas, planSchemas } from '../../ops/provision/schemas.ts'
import { type AvroObject, deltaSchema } from '../../schemas/avro.ts'
import { createDeltaDecoder, createDeltaEncoder } from '../../schemas/codec.ts'
import { createRegistry } from '../../schemas/registry.ts'
import { deltaOf, entityOf } from './sample.ts'

const url = process.env.TRIBUTARY_REGISTRY_URL!
const registry = createRegistry({ url })

/** Subjects of a test's own: the prefix is in the record's name as well, so ids are its own too. */
function prefixOf(test: string): string {
  return `t-${test}-${randomUUID().slice(0, 8)}`
}

const order = entityOf('order', { id: 'int64', total: 'decimal(12,2)', 'paid-at': 'timestamptz' })

test('the registry answers', async () => {
  await registry.ping()
})

test('looking a schema up never registers it', async () => {
  const prefix = prefixOf('lookup')
  const schema = deltaSchema(prefix, order)
  expect(await registry.idOf(`${prefix}.order-value`, schema)).toBeUndefined()
  expect(await registry.versions(`${prefix}.order-value`)).toStrictEqual([])
})

test('what is registered is found again as it was, under its subject only', async () => {
  const prefix = prefixOf('register')
  const subject = `${prefix}.order-value`
  const schema = deltaSchema(prefix, order)
  const id = await registry.register(subject, schema)
  expect(await registry.register(subject, schema)).toBe(id)
  expect(await registry.idOf(subject, schema)).toBe(id)
  expect(await registry.versions(subject)).toStrictEqual([schema])
  expect(await registry.schemaById(id, subject)).toStrictEqual(schema)
  expect(await registry.schemaById(id, `${prefix}.other-value`)).toBeUndefined()
  expect(await registry.schemaById(2_147_483_647, subject)).toBeUndefined()
})

test('every subject is FULL_TRANSITIVE: the registry itself refuses what is incompatible', async () => {
  const prefix = prefixOf('full')
  const subject = `${prefix}.order-value`
  await registry.register(subject, deltaSchema(prefix, entityOf('order', { id: 'int64', note: 'string' })))
  const config = await (await fetch(`${url}/config/${subject}`)).json()
  expect(config).toMatchObject({ compatibilityLevel: 'FULL_TRANSITIVE' })
  await registry.register(subject, deltaSchema(prefix, entityOf('order', { id: 'int64' })))
  await expect(
    registry.register(subject, deltaSchema(prefix, entityOf('order', { id: 'int64', note: 'double' }))),
  ).rejects.toMatchObject({ code: 'schema-incompatible' })
})

test('a schema that is not valid Avro is a defect, not an incompatibility', async () => {
  const wrong = { type: 'record', name: 'not a name', fields: [] } as AvroObject
  await expect(registry.register(`${prefixOf('wrong')}.order-value`, wrong)).rejects.toMatchObject({
    code: 'invariant-broken',
  })
})

test('provisioning registers, is idempotent, takes new fields and names what is incompatible', async () => {
  const prefix = prefixOf('provision')
  const apply = async (fields: Record<string, string>) => {
    const plans = await planSchemas(registry, prefix, [entityOf('order', fields)])
    await applySchemas(registry, plans)
    return plans[0]!.action
  }
  expect(await apply({ id: 'int64', total: 'decimal(12,2)' })).toBe('register')
  expect(await apply({ id: 'int64', total: 'decimal(12,2)' })).toBe('none')
  expect(await apply({ id: 'int64' })).toBe('register')
  expect(await apply({ id: 'int64', total: 'decimal(12,2)', note: 'string' })).toBe('register')
  expect(await apply({ id: 'int64' })).toBe('none')
  await expect(apply({ id: 'int64', total: 'decimal(12,4)' })).rejects.toMatchObject({ code: 'schema-incompatible' })
  expect(await registry.versions(`${prefix}.order-value`)).toHaveLength(3)
})

test('a delta is read back by its schema id, and by the registry client of kafkajs as well', async () => {
  const prefix = prefixOf('codec')
  const subject = `${prefix}.order-value`
  const schema = deltaSchema(prefix, order)
  const encode = createDeltaEncoder(order, schema, await registry.register(subject, schema))
  const delta = deltaOf('order', { id: 5n, total: '12.50', 'paid-at': 1_763_785_000_000_000n })
  const value = encode(delta)
  expect(await createDeltaDecoder(registry).decode(subject, '1', value)).toStrictEqual(delta)
  const theirs = await new SchemaRegistry({ host: url }).decode(value)
  expect(theirs.op).toBe('update')
  expect(theirs.after).toMatchObject({ id: 5, total: Buffer.from([0x04, 0xe2]), paid_at: 1_763_785_000_000_000 })
})

test('a record whose schema belongs to another topic, or to none, is corrupt', async () => {
  const prefix = prefixOf('hostile')
  const schema = deltaSchema(prefix, order)
  const id = await registry.register(`${prefix}.order-value`, schema)
  const delta = deltaOf('order', { id: 5n, total: null, 'paid-at': null })
  const decoder = createDeltaDecoder(registry)
  for (const [subject, schemaId] of [
    [`${prefix}.other-value`, id],
    [`${prefix}.order-value`, 2_147_483_647],
  ] as const)
    await expect(
      (async () => decoder.decode(subject, '1', createDeltaEncoder(order, schema, schemaId)(delta)))(),
    ).rejects.toMatchObject({ code: 'record-corrupt' })
})

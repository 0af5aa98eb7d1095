import { expect, test } from 'vitest'
import { applySchemas, planSchemas } from '../../../ops/provision/schemas.ts'
import type { AvroSchema } from '../../../schemas/avro.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import { entityOf } from '../../schemas/sample.ts'

/** A registry in memory that keeps what it is given, in order. */
function registryInMemory() {
  const subjects = new Map<string, AvroSchema[]>()
  const same = (a: AvroSchema, b: AvroSchema) => JSON.stringify(a) === JSON.stringify(b)
  return {
    subjects,
    idOf: async (subject: string, schema: AvroSchema) =>
      subjects.get(subject)?.some((other) => same(other, schema)) ? 1 : undefined,
    versions: async (subject: string) => subjects.get(subject) ?? [],
    register: async (subject: string, schema: AvroSchema) => {
      subjects.set(subject, [...(subjects.get(subject) ?? []), schema])
      return 1
    },
  }
}

const order = entityOf('order', { id: 'int64', total: 'decimal(12,2)' })
const customer = entityOf('customer', { id: 'int64' })

test('what is new is registered, and the second time nothing is to be done', async () => {
  const registry = registryInMemory()
  const plans = await planSchemas(registry, 'shop', [order, customer])
  expect(plans.map(({ subject, action }) => [subject, action])).toStrictEqual([
    ['shop.order-value', 'register'],
    ['shop.customer-value', 'register'],
  ])
  expect(registry.subjects.size).toBe(0)
  await applySchemas(registry, plans)
  const again = await planSchemas(registry, 'shop', [order, customer])
  expect(again.map(({ action }) => action)).toStrictEqual(['none', 'none'])
})

test('one bad entity keeps all from being registered, and every problem is in the message', async () => {
  const registry = registryInMemory()
  await applySchemas(registry, await planSchemas(registry, 'shop', [order, customer]))
  const before = structuredClone(registry.subjects)
  const changed = [
    entityOf('invoice', { id: 'int64' }),
    entityOf('order', { id: 'int64', total: 'decimal(12,4)' }),
    entityOf('customer', { id: 'string' }),
  ]
  const plans = await planSchemas(registry, 'shop', changed)
  const error = await applySchemas(registry, plans).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(TributaryError)
  expect((error as TributaryError).code).toBe('schema-incompatible')
  expect((error as TributaryError).message).toMatch(/order: `total` was decimal\(12,2\).*\ncustomer: `id` was int64/)
  expect(registry.subjects).toStrictEqual(before)
})

test('a declaration that gives no schema is refused before the registry is asked', async () => {
  const asked = async () => {
    throw new Error('the registry was asked')
  }
  const clash = entityOf('clash', { 'a-b': 'string', a_b: 'string' })
  await expect(planSchemas({ idOf: asked, versions: asked }, 'shop', [order, clash])).rejects.toMatchObject({
    code: 'declaration-invalid',
  })
})

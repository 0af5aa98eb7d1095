import { expect, test } from 'vitest'
import { loadDeclaration } from '../../../ops/declaration/declaration.ts'
import { asyncApiOf } from '../../../ops/provision/asyncapi.ts'
import { wantedTopics } from '../../../ops/provision/topics.ts'
import { deltaSchema } from '../../../schemas/avro.ts'
import { EXAMPLE_ENVIRONMENT } from '../declaration/example-environment.ts'

const declaration = loadDeclaration('tributary.yaml', EXAMPLE_ENVIRONMENT)
const document = asyncApiOf(declaration) as {
  channels: Record<string, { address: string; messages: object; bindings: { kafka: { partitions: number } } }>
  operations: Record<string, { action: string; channel: { $ref: string } }>
  components: { messages: Record<string, { payload: { schema: object } }> }
}

test('every entity’s topic is a channel, as provision makes it, with the schema of its records', () => {
  for (const [name, entity] of declaration.entities) {
    const { address, bindings } = document.channels[name]!
    const topic = wantedTopics(declaration).find((one) => one.topic === address)!
    expect(bindings.kafka.partitions).toBe(topic.partitions)
    expect(document.components.messages[name]!.payload.schema).toEqual(deltaSchema(declaration.name, entity))
  }
  expect(Object.keys(document.channels)).toEqual([...declaration.entities.keys()])
})

test('who writes and who reads a topic are operations', () => {
  const actions = (name: string) =>
    Object.entries(document.operations)
      .filter(([, { channel }]) => channel.$ref === `#/channels/${name}`)
      .map(([operation, { action }]) => `${action} ${operation}`)
  expect(actions('customer')).toEqual([
    'send erp.customer',
    'receive warehouse.customer',
    'receive crm.customer',
    'receive store.customer',
  ])
  expect(actions('stock-level')).toEqual(['send erp.stock-level', 'receive warehouse.stock-level'])
})

test('every reference leads somewhere, and nothing in it is a secret', () => {
  const text = JSON.stringify(document)
  for (const [, path] of text.matchAll(/"\$ref":"#\/([^"]+)"/g))
    expect(
      path!.split('/').reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], document),
      path,
    ).toBeDefined()
  for (const secret of Object.values(EXAMPLE_ENVIRONMENT))
    if (secret.includes('://') || secret.length > 30) expect(text).not.toContain(secret)
})

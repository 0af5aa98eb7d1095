import type { TopicSettings } from '../../connectors/kafka/admin.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { deltaSchema } from '../../schemas/avro.ts'
import { ID_HEADER, VERSION_HEADER } from '../../schemas/deletion.ts'
import { entityTopic } from '../../schemas/topics.ts'
import type { Declaration, DeclaredEntity } from '../declaration/declaration.ts'
import { wantedTopics } from './topics.ts'

const KAFKA_BINDING = '0.5.0'
const AVRO = 'application/vnd.apache.avro+json;version=1.9.0'

/**
 * The topics of a pipeline as an AsyncAPI 3.0 document: what others may read, with its schemas, and who writes and reads it. Holds no address and
 * no secret.
 */
export function asyncApiOf(declaration: Declaration): object {
  const settings = new Map(wantedTopics(declaration).map((topic) => [topic.topic, topic]))
  const entities = [...declaration.entities.values()]
  const takers = (entity: string) =>
    [...declaration.subscribers.values()].filter(({ mappings }) => mappings.some((one) => one.entity.name === entity))
  return {
    asyncapi: '3.0.0',
    info: {
      title: declaration.name,
      version: packageJson.version,
      description:
        'A record’s value is the whole object after a change; a null value is a delete. Topics are compacted, and the order of a key is that of its versions.',
    },
    defaultContentType: 'application/vnd.apache.avro',
    channels: Object.fromEntries(
      entities.map((entity) => [
        entity.name,
        channelOf(entity, settings.get(entityTopic(declaration.name, entity.name))!),
      ]),
    ),
    operations: Object.fromEntries(
      entities.flatMap((entity) => [
        [`${entity.source}.${entity.name}`, operationOf('send', entity.name, `Captured from ${entity.source}.`)],
        ...takers(entity.name).map(({ name }) => [
          `${name}.${entity.name}`,
          operationOf('receive', entity.name, `Delivered to ${name}.`),
        ]),
      ]),
    ),
    components: {
      messages: Object.fromEntries(entities.map((entity) => [entity.name, messageOf(declaration.name, entity)])),
    },
  }
}

function channelOf(entity: DeclaredEntity, { topic, partitions, replication, configs }: TopicSettings): object {
  return {
    address: topic,
    description: `Owner: ${entity.owner}. Class: ${entity.class}. May be ${entity.freshnessSeconds} s late. Authority: ${entity.authority}.`,
    messages: { delta: { $ref: `#/components/messages/${entity.name}` } },
    bindings: {
      kafka: {
        topic,
        partitions,
        replicas: replication,
        topicConfiguration: {
          'cleanup.policy': configs['cleanup.policy']!.split(','),
          'delete.retention.ms': Number(configs['delete.retention.ms']),
          'max.message.bytes': Number(configs['max.message.bytes']),
        },
        bindingVersion: KAFKA_BINDING,
      },
    },
  }
}

function operationOf(action: 'send' | 'receive', entity: string, summary: string): object {
  return { action, summary, channel: { $ref: `#/channels/${entity}` } }
}

function messageOf(prefix: string, entity: DeclaredEntity): object {
  const text = { type: 'string' }
  return {
    name: entity.name,
    title: `A change of ${entity.name}`,
    contentType: 'application/vnd.apache.avro',
    headers: { type: 'object', properties: { [ID_HEADER]: text, [VERSION_HEADER]: text } },
    payload: { schemaFormat: AVRO, schema: deltaSchema(prefix, entity) },
    bindings: {
      kafka: {
        key: { ...text, description: `${entity.key.join(', ')} as text; several parts as a JSON array of texts` },
        schemaIdLocation: 'payload',
        schemaIdPayloadEncoding: 'confluent',
        bindingVersion: KAFKA_BINDING,
      },
    },
  }
}

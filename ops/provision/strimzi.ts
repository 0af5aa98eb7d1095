import { createHash } from 'node:crypto'
import type { TopicSettings } from '../../connectors/kafka/admin.ts'

/**
 * A topic as the operators of Strimzi take it. `v1` is served from Strimzi 0.49 on; its older form goes with 1.0 (proposal 113 of that
 * project).
 */
export interface KafkaTopic {
  readonly apiVersion: 'kafka.strimzi.io/v1'
  readonly kind: 'KafkaTopic'
  readonly metadata: { readonly name: string; readonly labels: { readonly 'strimzi.io/cluster': string } }
  readonly spec: {
    readonly topicName: string
    readonly partitions: number
    readonly replicas: number
    readonly config: Readonly<Record<string, string>>
  }
}

/** @param cluster the name of the `Kafka` resource that the topics are of */
export function kafkaTopics(topics: readonly TopicSettings[], cluster: string): readonly KafkaTopic[] {
  return topics.map(({ topic, partitions, replication, configs }) => ({
    apiVersion: 'kafka.strimzi.io/v1',
    kind: 'KafkaTopic',
    metadata: { name: resourceName(topic), labels: { 'strimzi.io/cluster': cluster } },
    spec: { topicName: topic, partitions, replicas: replication, config: configs },
  }))
}

/** A name that Kubernetes takes for an object: parts of lower-case letters, digits and -, with dots between. */
const RESOURCE_NAME = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/
const HASH_CHARACTERS = 8

/** The topic's name where Kubernetes takes it; else one of its own, which no other topic has. */
export function resourceName(topic: string): string {
  if (RESOURCE_NAME.test(topic)) return topic
  const parts = topic.toLowerCase().split(/[^a-z0-9]+/)
  const hash = createHash('sha256').update(topic).digest('hex').slice(0, HASH_CHARACTERS)
  return [...parts.filter((part) => part !== ''), hash].join('-')
}

/** The resources as one YAML stream. Texts are in double quotes as in JSON, which is YAML as well. */
export function formatStrimzi(topics: readonly KafkaTopic[]): string {
  return topics.map((topic) => `---\n${yamlLines(topic, '').join('\n')}\n`).join('')
}

function yamlLines(mapping: object, indent: string): readonly string[] {
  return Object.entries(mapping).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null
      ? [`${indent}${name}:`, ...yamlLines(value, `${indent}  `)]
      : [`${indent}${name}: ${JSON.stringify(value)}`],
  )
}

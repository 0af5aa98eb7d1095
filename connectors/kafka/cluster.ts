import kafkajs, { type Admin } from 'kafkajs'

export interface BrokerSettings {
  readonly broker: number
  /** Those that it has of the ones asked for. */
  readonly settings: Readonly<Record<string, string>>
}

export async function brokerSettings(admin: Admin, names: readonly string[]): Promise<readonly BrokerSettings[]> {
  const { brokers } = await admin.describeCluster()
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: brokers.map(({ nodeId }) => ({
      type: kafkajs.ConfigResourceTypes.BROKER,
      name: String(nodeId),
      configNames: [...names],
    })),
  })
  return resources.map(({ resourceName, configEntries }) => ({
    broker: Number(resourceName),
    settings: Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
  }))
}

export interface PartitionReplicas {
  readonly topic: string
  readonly partition: number
  readonly replicas: number
  readonly inSync: number
}

/** @param topics all of them exist. @throws what the library says of a partition that no broker leads */
export async function partitionReplicas(
  admin: Admin,
  topics: readonly string[],
): Promise<readonly PartitionReplicas[]> {
  if (topics.length === 0) return []
  const metadata = await admin.fetchTopicMetadata({ topics: [...topics] })
  return metadata.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionId, replicas, isr }) => ({
      topic: name,
      partition: partitionId,
      replicas: replicas.length,
      inSync: isr.length,
    })),
  )
}

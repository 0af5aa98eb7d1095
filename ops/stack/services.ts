/** The servers of the local stack, in the order in which they are listed to a person. */
export const SERVICE_NAMES = ['kafka', 'registry', 'redis', 'postgres'] as const
export type ServiceName = (typeof SERVICE_NAMES)[number]

/** What a person calls each server. */
export const SERVICE_TITLES: Record<ServiceName, string> = {
  kafka: 'Kafka',
  registry: 'Apicurio Registry',
  redis: 'Redis',
  postgres: 'PostgreSQL',
}

/** The environment variable that names a server which is already there, so that none is started. */
export const ADDRESS_VARIABLES: Record<ServiceName, string> = {
  kafka: 'TRIBUTARY_KAFKA_BROKERS',
  registry: 'TRIBUTARY_REGISTRY_URL',
  redis: 'TRIBUTARY_REDIS_URL',
  postgres: 'TRIBUTARY_POSTGRES_URL',
}

/** The environment variable that fixes the port of a server which is started. */
export const PORT_VARIABLES: Record<ServiceName, string> = {
  kafka: 'TRIBUTARY_KAFKA_PORT',
  registry: 'TRIBUTARY_REGISTRY_PORT',
  redis: 'TRIBUTARY_REDIS_PORT',
  postgres: 'TRIBUTARY_POSTGRES_PORT',
}

/** One line of progress. A later line with the same `service` replaces the earlier one on a terminal. */
export interface StackProgress {
  readonly service: ServiceName | 'download'
  readonly state: 'downloading' | 'preparing' | 'starting' | 'ready' | 'stopped'
  /** What to show, without the service's name. */
  readonly text: string
}

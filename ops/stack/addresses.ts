import type { DataFolder } from './data-folder.ts'
import { postgresPassword, postgresUrl } from './servers/postgres.ts'
import { registryUrl } from './servers/registry.ts'
import { ADDRESS_VARIABLES, SERVICE_NAMES, type ServiceName } from './services.ts'

/** Where clients find the servers. A service that is neither started nor given has the empty string. */
export interface StackAddresses {
  /** `host:port`, several separated by commas. */
  readonly kafkaBrokers: string
  /** The base of the Confluent-compatible API, path included. */
  readonly registryUrl: string
  readonly redisUrl: string
  /** A superuser's URL with its password: never print it. */
  readonly postgresUrl: string
}

export type AddressByService = Partial<Record<ServiceName, string>>

const ADDRESS_KEYS: Record<ServiceName, keyof StackAddresses> = {
  kafka: 'kafkaBrokers',
  registry: 'registryUrl',
  redis: 'redisUrl',
  postgres: 'postgresUrl',
}

/** One address per service as the record that clients take. */
export function toAddresses(byService: AddressByService): StackAddresses {
  const addresses = { kafkaBrokers: '', registryUrl: '', redisUrl: '', postgresUrl: '' }
  for (const name of SERVICE_NAMES) addresses[ADDRESS_KEYS[name]] = byService[name] ?? ''
  return addresses
}

/** The addresses as environment variables, for child processes and tests. Services without an address are left out. */
export function addressEnvironment(addresses: StackAddresses): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const name of SERVICE_NAMES) {
    const address = addresses[ADDRESS_KEYS[name]]
    if (address !== '') variables[ADDRESS_VARIABLES[name]] = address
  }
  return variables
}

/** The addresses that the environment gives: those servers are used, and none is started in their place. */
export function givenAddresses(env: NodeJS.ProcessEnv): AddressByService {
  const given: AddressByService = {}
  for (const name of SERVICE_NAMES) {
    const address = env[ADDRESS_VARIABLES[name]]
    if (address !== undefined && address !== '') given[name] = address
  }
  return given
}

/** The environment without given addresses, to start a stack where one is given already. */
export function withoutAddresses(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const variables: readonly string[] = Object.values(ADDRESS_VARIABLES)
  return Object.fromEntries(Object.entries(env).filter(([name]) => !variables.includes(name)))
}

/** The addresses of servers that a stack runs itself. */
export async function ownAddresses(
  folder: DataFolder,
  ports: Partial<Record<ServiceName, number>>,
): Promise<AddressByService> {
  const own: AddressByService = {}
  if (ports.kafka !== undefined) own.kafka = `127.0.0.1:${ports.kafka}`
  if (ports.registry !== undefined) own.registry = registryUrl(ports.registry)
  if (ports.redis !== undefined) own.redis = `redis://127.0.0.1:${ports.redis}`
  if (ports.postgres !== undefined) own.postgres = postgresUrl(ports.postgres, await postgresPassword(folder))
  return own
}

/** An address that may be shown: the password in it, if any, is replaced. One that should have been encoded may hold `@` and `/`. */
export function withoutPassword(address: string): string {
  return address.replace(/^([a-z+]+:\/\/[^:@/]*):.*@/i, '$1:***@')
}

import { resolve } from 'node:path'
import { TributaryError } from '../../schemas/errors.ts'
import { type DataFolder, dataFolder, defaultDataDir } from './data-folder.ts'
import { postgresPassword, postgresUrl } from './servers/postgres.ts'
import { registryUrl } from './servers/registry.ts'
import {
  ADDRESS_VARIABLES,
  SERVICE_NAMES,
  SERVICE_TITLES,
  type ServiceName,
  type StackAddresses,
  type StackProgress,
  toAddresses,
} from './services.ts'
import { SupervisorClient } from './supervisor-client.ts'

export interface StackOptions {
  /** Everything the stack keeps. Default: TRIBUTARY_DATA_DIR, or `.tributary` in the repository. */
  readonly dataDir?: string
  readonly onProgress?: (line: StackProgress) => void
  /** Aborting ends the start and everything it began; `startStack` then rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** The servers wanted; all by default. Those whose address the environment gives are not started. */
  readonly services?: readonly ServiceName[]
  /** False for tests alone: PostgreSQL and Redis do not wait for the disk. */
  readonly durable?: boolean
}

/** A stack whose servers end with this process. */
export interface RunningStack {
  readonly addresses: StackAddresses
  readonly dataDir: string
  /** The servers that run here; the others were given or not wanted. */
  readonly started: readonly ServiceName[]
  stop(): Promise<void>
  /** Stops the server if it runs, starts it with its port and data, and waits until it serves. */
  restart(service: ServiceName): Promise<void>
  /** Kills the server as a crash would, and leaves it down until `restart`. */
  kill(service: ServiceName): Promise<void>
}

/**
 * Starts the servers of the local stack side by side and waits until all serve. They end with this process, however it ends.
 * @throws TributaryError `environment-missing`, `stack-locked`, `stack-failed`, `download-failed`
 */
export async function startStack(options: StackOptions = {}): Promise<RunningStack> {
  const { client, addresses, dataDir, started } = await launch(options, true)
  client?.unref()
  const ours = (service: ServiceName): SupervisorClient => {
    if (client !== undefined && started.includes(service)) return client
    throw new TributaryError('stack-failed', `This stack does not run ${SERVICE_TITLES[service]} itself.`)
  }
  return {
    addresses,
    dataDir,
    started,
    stop: async () => await client?.stop(),
    restart: async (service) => await ours(service).request('restart', service),
    kill: async (service) => await ours(service).request('kill', service),
  }
}

/** As `startStack`, but the servers go on after this process, until `stopStack`. Answers their addresses. */
export async function startDetachedStack(options: StackOptions = {}): Promise<StackAddresses> {
  const { client, addresses } = await launch(options, false)
  client?.leave()
  return addresses
}

interface Launched {
  readonly client: SupervisorClient | undefined
  readonly addresses: StackAddresses
  readonly dataDir: string
  readonly started: readonly ServiceName[]
}

async function launch(options: StackOptions, attached: boolean): Promise<Launched> {
  const dataDir = resolve(options.dataDir ?? defaultDataDir(process.env))
  const wanted = SERVICE_NAMES.filter((name) => (options.services ?? SERVICE_NAMES).includes(name))
  const given = givenAddresses(process.env)
  const started = wanted.filter((name) => given[name] === undefined)
  const byService = Object.fromEntries(
    wanted.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])),
  )
  if (started.length === 0) return { client: undefined, addresses: toAddresses(byService), dataDir, started }
  options.signal?.throwIfAborted()
  const client = await SupervisorClient.spawn(dataDir, options.onProgress ?? (() => undefined))
  const order = { dataDir, services: started, durable: options.durable ?? true, attached }
  const ports = await client.start(order, options.signal)
  return {
    client,
    addresses: toAddresses({ ...byService, ...(await ownAddresses(dataFolder(dataDir), ports)) }),
    dataDir,
    started,
  }
}

/** The addresses that the environment gives. */
function givenAddresses(env: NodeJS.ProcessEnv): Partial<Record<ServiceName, string>> {
  const given: Partial<Record<ServiceName, string>> = {}
  for (const name of SERVICE_NAMES) {
    const address = env[ADDRESS_VARIABLES[name]]
    if (address !== undefined && address !== '') given[name] = address
  }
  return given
}

async function ownAddresses(
  folder: DataFolder,
  ports: Partial<Record<ServiceName, number>>,
): Promise<Partial<Record<ServiceName, string>>> {
  const own: Partial<Record<ServiceName, string>> = {}
  if (ports.kafka !== undefined) own.kafka = `127.0.0.1:${ports.kafka}`
  if (ports.registry !== undefined) own.registry = registryUrl(ports.registry)
  if (ports.redis !== undefined) own.redis = `redis://127.0.0.1:${ports.redis}`
  if (ports.postgres !== undefined) own.postgres = postgresUrl(ports.postgres, await postgresPassword(folder))
  return own
}

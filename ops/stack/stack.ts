import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { TributaryError } from '../../schemas/errors.ts'
import { givenAddresses, ownAddresses, type StackAddresses, toAddresses } from './addresses.ts'
import { dataFolder, defaultDataDir, logFile } from './data-folder.ts'
import { serverIsReady } from './servers/probes.ts'
import { SERVICE_NAMES, SERVICE_TITLES, type ServiceName, type StackProgress } from './services.ts'
import { endLeftovers } from './supervision/leftovers.ts'
import { lockOwner } from './supervision/lock.ts'
import { endProcess, isAlive } from './supervision/process-identity.ts'
import { readRecord, removeRecord } from './supervision/run-record.ts'
import { SupervisorClient } from './supervision/supervisor-client.ts'

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
  /** Where addresses, ports, the PATH and TRIBUTARY_DATA_DIR come from, here and in the servers. Default: this process's. */
  readonly env?: NodeJS.ProcessEnv
}

/** Which stack is meant: the one of this data folder, seen with this environment. */
export type StackChoice = Pick<StackOptions, 'dataDir' | 'env'>

function dataDirOf({ dataDir, env = process.env }: StackChoice): string {
  return resolve(dataDir ?? defaultDataDir(env))
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
  const env = options.env ?? process.env
  const dataDir = dataDirOf(options)
  const wanted = SERVICE_NAMES.filter((name) => (options.services ?? SERVICE_NAMES).includes(name))
  const given = givenAddresses(env)
  const used = Object.fromEntries(wanted.map((name) => [name, given[name]]))
  const started = wanted.filter((name) => given[name] === undefined)
  if (started.length === 0) return { client: undefined, addresses: toAddresses(used), dataDir, started }
  options.signal?.throwIfAborted()
  const client = await SupervisorClient.spawn(dataDir, env, options.onProgress ?? (() => undefined))
  const order = { dataDir, services: started, durable: options.durable ?? true, attached }
  const ports = await client.start(order, options.signal)
  const addresses = toAddresses({ ...used, ...(await ownAddresses(dataFolder(dataDir), ports)) })
  return { client, addresses, dataDir, started }
}

const SUPERVISOR_STOP_WITHIN_MS = 45_000

/**
 * Ends the stack of a data folder, whoever started it, and waits until its servers are gone. Answers which ran.
 * A process is only touched when its start time proves that it is the one which was started.
 */
export async function stopStack(options: StackChoice = {}): Promise<readonly ServiceName[]> {
  const folder = dataFolder(dataDirOf(options))
  const before = await readRecord(folder)
  const ran = SERVICE_NAMES.filter((name) => {
    const found = before?.services[name]?.process
    return found !== undefined && found !== null && isAlive(found)
  })
  const owner = await lockOwner(folder)
  if (owner !== undefined) await endProcess(owner, 'SIGTERM', SUPERVISOR_STOP_WITHIN_MS)
  await endLeftovers(before)
  if ((await lockOwner(folder)) === undefined) await removeRecord(folder)
  return ran
}

interface ServiceStatus {
  readonly name: ServiceName
  /** `given`: its address comes from the environment. `unready`: the process runs and does not answer (yet). */
  readonly state: 'ready' | 'unready' | 'stopped' | 'given'
  readonly pid?: number
  readonly port?: number
  readonly logFile: string
}

export interface StackStatus {
  readonly dataDir: string
  readonly running: boolean
  /** Whether the servers end with the process that started them; undefined when none runs. */
  readonly attached?: boolean
  readonly services: readonly ServiceStatus[]
  readonly addresses: StackAddresses
}

/** What runs in a data folder, each server asked once whether it serves. */
export async function stackStatus(options: StackChoice = {}): Promise<StackStatus> {
  const dataDir = dataDirOf(options)
  const folder = dataFolder(dataDir)
  const record = await readRecord(folder)
  const given = givenAddresses(options.env ?? process.env)
  const ports: Partial<Record<ServiceName, number>> = {}
  const look = async (name: ServiceName): Promise<ServiceStatus> => {
    const base = { name, logFile: logFile(folder, name) }
    if (given[name] !== undefined) return { ...base, state: 'given' }
    const entry = record?.services[name]
    if (entry?.process === undefined || entry.process === null || !isAlive(entry.process))
      return { ...base, state: 'stopped' }
    ports[name] = entry.port
    const state = (await serverIsReady(name, entry.port)) ? 'ready' : 'unready'
    return { ...base, state, pid: entry.process.pid, port: entry.port }
  }
  const services = await Promise.all(SERVICE_NAMES.map(look))
  const running = (await lockOwner(folder)) !== undefined
  const addresses = toAddresses({ ...(await ownAddresses(folder, ports)), ...given })
  return {
    dataDir,
    running,
    ...(running && record !== undefined ? { attached: record.attached } : {}),
    services,
    addresses,
  }
}

const LOG_LINES_DEFAULT = 40
const LOG_READ_BYTES_MAX = 256 * 1024

export interface ServiceLog {
  readonly service: ServiceName
  readonly file: string
  /** The last lines, oldest first; none where there is no log yet. */
  readonly lines: readonly string[]
}

/** The ends of the servers' logs. */
export async function stackLogs(
  options: StackChoice & { readonly service?: ServiceName; readonly linesMax?: number } = {},
): Promise<readonly ServiceLog[]> {
  const folder = dataFolder(dataDirOf(options))
  const services = options.service === undefined ? SERVICE_NAMES : [options.service]
  return await Promise.all(
    services.map(async (service) => {
      const file = logFile(folder, service)
      return { service, file, lines: await lastLines(file, options.linesMax ?? LOG_LINES_DEFAULT) }
    }),
  )
}

async function lastLines(path: string, linesMax: number): Promise<string[]> {
  const file = await open(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined
    throw cause
  })
  if (file === undefined) return []
  try {
    const { size } = await file.stat()
    const from = Math.max(0, size - LOG_READ_BYTES_MAX)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
    const lines = buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n')
    return lines.slice(-linesMax).filter((line) => line !== '')
  } finally {
    await file.close()
  }
}

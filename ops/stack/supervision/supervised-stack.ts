import { TributaryError } from '../../../schemas/errors.ts'
import { type Artifacts, fetchArtifacts } from '../artifacts.ts'
import { createDataFolder, type DataFolder, dataFolder, logFile, serversDir } from '../data-folder.ts'
import { choosePorts, configuredPorts, type PortName, type Ports } from '../ports.ts'
import { findJava } from '../programs.ts'
import { planKafka } from '../servers/kafka.ts'
import { planPostgres } from '../servers/postgres.ts'
import { planRedis } from '../servers/redis.ts'
import { planRegistry } from '../servers/registry.ts'
import type { PlanServer, ServerContext } from '../servers/server-plan.ts'
import { SERVICE_TITLES, type ServiceName, type StackProgress } from '../services.ts'
import { logTail, runTool } from '../tool.ts'
import { endLeftovers } from './leftovers.ts'
import { releaseLock, takeLock } from './lock.ts'
import { identify, type ProcessIdentity } from './process-identity.ts'
import { type RunRecord, readRecord, removeRecord, writeRecord } from './run-record.ts'
import { rotateLog, ServerProcess } from './server-process.ts'
import type { StackOrder } from './supervisor-messages.ts'

const PLANS: Record<ServiceName, PlanServer> = {
  kafka: planKafka,
  registry: planRegistry,
  redis: planRedis,
  postgres: planPostgres,
}

const LOG_CHECK_INTERVAL_MS = 60_000
/** A server that was still starting has nothing to settle, and may not listen to a request yet. */
const UNREADY_GRACE_MS = 3_000

/** The servers of one data folder, as the supervisor sees them. */
export class Stack {
  readonly #order: StackOrder
  /** Ends every wait of a start: the stack is being stopped, or one of its servers has failed. */
  readonly #signal: AbortSignal
  readonly #giveUp = new AbortController()
  readonly #onProgress: (progress: StackProgress) => void
  readonly #folder: DataFolder
  readonly #servers = new Map<ServiceName, ServerProcess>()
  readonly #self: ProcessIdentity
  #ports: Ports = {}
  #ready = false
  #ownsFolder = false
  #starting: Promise<unknown> = Promise.resolve()
  #recording: Promise<void> = Promise.resolve()
  #logCheck: NodeJS.Timeout | undefined

  /** Aborting `signal` makes a start give up; `stop` must follow. */
  constructor(order: StackOrder, signal: AbortSignal, onProgress: (progress: StackProgress) => void) {
    this.#order = order
    this.#signal = AbortSignal.any([signal, this.#giveUp.signal])
    this.#onProgress = onProgress
    this.#folder = dataFolder(order.dataDir)
    const self = identify(process.pid)
    if (self === undefined)
      throw new TributaryError('invariant-broken', 'This process cannot find itself in the process table.')
    this.#self = self
  }

  /** Starts all servers side by side and waits until they serve. Answers their ports. */
  async start(): Promise<Ports> {
    const starting = this.#start()
    this.#starting = starting.catch(() => undefined)
    await starting
    return this.#ports
  }

  async #start(): Promise<void> {
    await createDataFolder(this.#folder)
    await takeLock(this.#folder, this.#self)
    this.#ownsFolder = true
    // Of a supervisor that was itself killed.
    await endLeftovers(await readRecord(this.#folder))
    const { services } = this.#order
    const names: PortName[] = services.includes('kafka') ? [...services, 'kafkaController'] : [...services]
    this.#ports = await choosePorts(this.#folder, names, configuredPorts(process.env))
    await this.#record()
    const context = this.#context()
    // Known before anything is made, so that a missing Java is all that is said.
    if (services.includes('kafka') || services.includes('registry')) await context.java()
    // The first that fails makes the others give up. All are waited for: then none can still start something.
    const starts = services.map(async (name) => {
      try {
        await this.#startServer(name, context)
      } catch (error) {
        this.#giveUp.abort(error)
        throw error
      }
    })
    await Promise.allSettled(starts)
    this.#signal.throwIfAborted()
    this.#ready = true
    await this.#record()
    this.#logCheck = setInterval(() => void this.#checkLogs(), LOG_CHECK_INTERVAL_MS)
  }

  #context(): ServerContext {
    const env = process.env
    let java: Promise<string> | undefined
    let artifacts: Promise<Artifacts> | undefined
    return {
      folder: this.#folder,
      ports: this.#ports,
      env,
      durable: this.#order.durable,
      // Both are asked for by several servers and done once.
      java: () => {
        java ??= findJava(env)
        return java
      },
      artifacts: () => {
        artifacts ??= this.#fetchArtifacts(env)
        return artifacts
      },
      prepareWith: () => Promise.reject(new TributaryError('invariant-broken', 'No service was named.')),
    }
  }

  async #fetchArtifacts(env: NodeJS.ProcessEnv): Promise<Artifacts> {
    return await fetchArtifacts({
      serversDir: serversDir(env),
      env,
      logFile: logFile(this.#folder, 'maven'),
      signal: this.#signal,
      onProgress: (text) => this.#onProgress({ service: 'download', state: 'downloading', text }),
    })
  }

  async #startServer(name: ServiceName, shared: ServerContext): Promise<void> {
    const log = logFile(this.#folder, name)
    const prepareWith: ServerContext['prepareWith'] = async (tool) => {
      this.#onProgress({ service: name, state: 'preparing', text: 'makes its data folder' })
      const code = await runTool(tool, { logFile: log, signal: this.#signal })
      if (code === 0) return
      const tail = await logTail(log)
      throw new TributaryError(
        'stack-failed',
        `${SERVICE_TITLES[name]} could not make its data folder. Its log: ${log}\n${tail}`,
      )
    }
    const plan = await PLANS[name]({ ...shared, prepareWith })
    const server = new ServerProcess(plan, log, (ended) => this.#onServerExit(name, ended))
    this.#servers.set(name, server)
    this.#onProgress({ service: name, state: 'starting', text: `starts on port ${plan.port}` })
    const startedAt = performance.now()
    await server.start(this.#signal, () => this.#record())
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    this.#onProgress({ service: name, state: 'ready', text: `ready on port ${plan.port} after ${seconds} s` })
  }

  #onServerExit(name: ServiceName, server: ServerProcess): void {
    this.#onProgress({ service: name, state: 'stopped', text: `stopped; log: ${server.logFile}` })
    this.#record().catch((error: unknown) => console.error(error))
  }

  /** Writes down which processes run. One write at a time, in order. */
  #record(): Promise<void> {
    const write = () => writeRecord(this.#folder, this.#snapshot())
    this.#recording = this.#recording.then(write, write)
    return this.#recording
  }

  #snapshot(): RunRecord {
    const services: RunRecord['services'] = {}
    for (const name of this.#order.services) {
      const server = this.#servers.get(name)
      services[name] = {
        port: this.#ports[name]!,
        process: server?.identity ?? null,
        program: server?.plan.launch.file ?? '',
      }
    }
    return { supervisor: this.#self, attached: this.#order.attached, ready: this.#ready, services }
  }

  async #checkLogs(): Promise<void> {
    for (const server of this.#servers.values()) await rotateLog(server.logFile)
  }

  /** Stops the server if it runs, starts it on the same port and data, and waits until it serves. */
  async restart(name: ServiceName): Promise<void> {
    const server = this.#server(name)
    await server.stop()
    await server.start(this.#signal, () => this.#record())
    this.#onProgress({ service: name, state: 'ready', text: `ready on port ${server.plan.port}` })
  }

  /** Kills the server as a crash would, and leaves it down until `restart`. */
  async kill(name: ServiceName): Promise<void> {
    await this.#server(name).kill()
    await this.#record()
  }

  #server(name: ServiceName): ServerProcess {
    const server = this.#servers.get(name)
    if (server !== undefined) return server
    throw new TributaryError('stack-failed', `This stack does not run ${SERVICE_TITLES[name]} itself.`)
  }

  /** Stops everything that was started, and gives the data folder free. Safe at any moment of a start. */
  async stop(): Promise<void> {
    clearInterval(this.#logCheck)
    await this.#starting
    const graceMs = this.#ready ? undefined : UNREADY_GRACE_MS
    await Promise.all([...this.#servers.values()].map((server) => server.stop(graceMs)))
    if (!this.#ownsFolder) return
    await this.#recording.catch((error: unknown) => console.error(error))
    await removeRecord(this.#folder)
    await releaseLock(this.#folder)
  }
}

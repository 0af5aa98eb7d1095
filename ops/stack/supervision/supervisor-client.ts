import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { TributaryError } from '../../../schemas/errors.ts'
import { createDataFolder, type DataFolder, dataFolder, logFile } from '../data-folder.ts'
import type { ServiceName, StackProgress } from '../services.ts'
import { logTail } from '../tool.ts'
import { endLeftovers } from './leftovers.ts'
import { identify, type ProcessIdentity } from './process-identity.ts'
import { readRecord } from './run-record.ts'
import type { ErrorReport, StackOrder, StackReport, StackRequest } from './supervisor-messages.ts'

const SUPERVISOR_FILE = fileURLToPath(new URL('./supervisor.ts', import.meta.url))
const STOP_WITHIN_MS = 60_000

/** This process's end of the channel to a supervisor. */
export class SupervisorClient {
  readonly #child: ChildProcess
  readonly #folder: DataFolder
  readonly #logFile: string
  readonly #identity: ProcessIdentity | undefined
  readonly #onProgress: (progress: StackProgress) => void
  readonly #answers = new Map<number, (error: ErrorReport | undefined) => void>()
  readonly #exited: Promise<void>
  #started:
    | { resolve: (ports: Partial<Record<ServiceName, number>>) => void; reject: (error: unknown) => void }
    | undefined
  #nextId = 1

  private constructor(child: ChildProcess, folder: DataFolder, onProgress: (progress: StackProgress) => void) {
    this.#child = child
    this.#folder = folder
    this.#logFile = logFile(folder, 'supervisor')
    this.#identity = child.pid === undefined ? undefined : identify(child.pid)
    this.#onProgress = onProgress
    this.#exited = once(child, 'exit').then(
      ([code, signal]) => this.#ended(code ?? signal),
      (cause: unknown) => this.#started?.reject(cause),
    )
    child.on('message', (message) => this.#receive(message as StackReport))
  }

  /** Starts a supervisor for a data folder. It does nothing until `start`. */
  static async spawn(
    dataDir: string,
    env: NodeJS.ProcessEnv,
    onProgress: (progress: StackProgress) => void,
  ): Promise<SupervisorClient> {
    const folder = dataFolder(dataDir)
    await createDataFolder(folder)
    const log = openSync(logFile(folder, 'supervisor'), 'a')
    try {
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', SUPERVISOR_FILE], {
        detached: true,
        stdio: ['ignore', log, log, 'ipc'],
        env: supervisorEnvironment(env),
      })
      return new SupervisorClient(child, folder, onProgress)
    } finally {
      closeSync(log)
    }
  }

  /** Answers the ports once every server serves. @throws TributaryError what the supervisor failed with; on abort, the reason */
  async start(order: StackOrder, signal: AbortSignal | undefined): Promise<Partial<Record<ServiceName, number>>> {
    signal?.throwIfAborted()
    const stop = () => this.#send({ kind: 'stop' })
    signal?.addEventListener('abort', stop)
    try {
      const ports = await new Promise<Partial<Record<ServiceName, number>>>((resolve, reject) => {
        this.#started = { resolve, reject }
        this.#send({ kind: 'start', order })
      })
      signal?.throwIfAborted()
      return ports
    } catch (error) {
      await this.stop()
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', stop)
      this.#started = undefined
    }
  }

  /** Lets this process end although the supervisor lives. An attached supervisor then ends too. */
  unref(): void {
    this.#child.unref()
    this.#child.channel?.unref()
  }

  /** Leaves a detached supervisor to itself. */
  leave(): void {
    this.unref()
    if (this.#child.connected) this.#child.disconnect()
  }

  async request(kind: 'restart' | 'kill', service: ServiceName): Promise<void> {
    const id = this.#nextId++
    this.#child.channel?.ref()
    try {
      const error = await new Promise<ErrorReport | undefined>((resolve) => {
        this.#answers.set(id, resolve)
        if (!this.#send({ kind, id, service })) resolve({ code: 'stack-failed', message: 'The local stack has ended.' })
      })
      if (error !== undefined) throw toError(error)
    } finally {
      this.#answers.delete(id)
      this.#child.channel?.unref()
    }
  }

  /** Ends the supervisor with its servers, and waits for it. */
  async stop(): Promise<void> {
    if (this.#hasEnded()) return await this.#exited
    this.#child.ref()
    this.#send({ kind: 'stop' })
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_WITHIN_MS)
    await this.#exited
    clearTimeout(late)
  }

  #hasEnded(): boolean {
    return this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  #send(request: StackRequest): boolean {
    if (!this.#child.connected) return false
    this.#child.send(request, () => undefined) // a channel that breaks now is told by `exit`
    return true
  }

  #receive(report: StackReport): void {
    if (report.kind === 'progress') this.#onProgress(report.progress)
    else if (report.kind === 'ready') this.#started?.resolve(report.ports)
    else if (report.kind === 'failed') this.#started?.reject(toError(report.error))
    else this.#answers.get(report.id)?.(report.error)
  }

  /** Its servers have ended before it, unless it was killed itself. */
  async #ended(how: number | NodeJS.Signals | null): Promise<void> {
    const text = `The supervisor of the local stack ended (${how}). Its log: ${this.#logFile}\n${await logTail(this.#logFile)}`
    this.#started?.reject(new TributaryError('stack-failed', text))
    for (const answer of this.#answers.values()) answer({ code: 'stack-failed', message: text })
    const record = await readRecord(this.#folder)
    // By now another stack may own the folder.
    if (record !== undefined && isSame(record.supervisor, this.#identity)) await endLeftovers(record)
  }
}

function isSame(one: ProcessIdentity, other: ProcessIdentity | undefined): boolean {
  return other !== undefined && one.pid === other.pid && one.startMark === other.startMark
}

function toError(report: ErrorReport): Error {
  return report.code === undefined ? new Error(report.message) : new TributaryError(report.code, report.message)
}

/** Options of the process that starts it (a debugger's port, a test runner's hooks) are not for the supervisor. */
function supervisorEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, NODE_OPTIONS: '' }
}

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { copyFile, stat, truncate } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { TributaryError } from '../../../schemas/errors.ts'
import { serverIsReady } from '../servers/probes.ts'
import { type ServerPlan, STOP_SIGNALS } from '../servers/server-plan.ts'
import { SERVICE_TITLES } from '../services.ts'
import { killGroup, logTail } from '../tool.ts'
import { identify, type ProcessIdentity } from './process-identity.ts'

const PROBE_INTERVAL_MS = 50
const START_ATTEMPTS_MAX = 20
const RETRY_AFTER_MS = 250
const LOG_BYTES_MAX = 20 * 1024 * 1024

/** One server of the stack as a child of this process. */
export class ServerProcess {
  readonly plan: ServerPlan
  readonly logFile: string
  readonly #onExit: (server: ServerProcess) => void
  #child: ChildProcess | undefined
  #identity: ProcessIdentity | undefined

  /** `onExit` is called whenever the server has ended, asked for or not. */
  constructor(plan: ServerPlan, logFile: string, onExit: (server: ServerProcess) => void) {
    this.plan = plan
    this.logFile = logFile
    this.#onExit = onExit
  }

  /** The running process, or undefined. */
  get identity(): ProcessIdentity | undefined {
    return this.#identity
  }

  /**
   * Starts the server and waits until it serves clients. `onSpawn` is called as soon as the process exists.
   * @throws TributaryError `stack-failed` when it ends early or is not ready in time; on abort, the signal's reason
   */
  async start(signal: AbortSignal, onSpawn: () => Promise<void>): Promise<void> {
    const deadline = performance.now() + this.plan.readyWithinMs
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted()
      await rotateLog(this.logFile)
      const child = this.#spawn()
      await onSpawn()
      const outcome = await this.#waitUntilReady(child, deadline, signal)
      if (outcome === 'ready') return
      const tail = await logTail(this.logFile)
      const again = outcome === 'ended' && attempt < START_ATTEMPTS_MAX && this.plan.mayStartLater?.(tail) === true
      if (!again) {
        await this.kill()
        throw this.#notReady(outcome, child, tail)
      }
      await delay(RETRY_AFTER_MS, undefined, { signal })
    }
  }

  #spawn(): ChildProcess {
    const { file, args, env, cwd, uid, gid } = this.plan.launch
    // Appending, so that the log can be cut while the server writes to it.
    const log = openSync(this.logFile, 'a')
    try {
      const child = spawn(file, args, {
        detached: true, // a process group of its own: Ctrl-C in a terminal must not reach it before us
        stdio: ['ignore', log, log],
        env: env ?? process.env,
        ...(cwd === undefined ? {} : { cwd }),
        ...(uid === undefined ? {} : { uid }),
        ...(gid === undefined ? {} : { gid }),
      })
      this.#child = child
      this.#identity = child.pid === undefined ? undefined : identify(child.pid)
      const ended = () => {
        if (this.#child !== child) return
        this.#child = undefined
        this.#identity = undefined
        this.#onExit(this)
      }
      child.once('exit', ended)
      child.once('error', ended)
      return child
    } finally {
      closeSync(log)
    }
  }

  async #waitUntilReady(
    child: ChildProcess,
    deadline: number,
    signal: AbortSignal,
  ): Promise<'ready' | 'ended' | 'late'> {
    while (this.#child === child) {
      signal.throwIfAborted()
      if (await serverIsReady(this.plan.name, this.plan.port)) return this.#child === child ? 'ready' : 'ended'
      if (performance.now() > deadline) return 'late'
      await delay(PROBE_INTERVAL_MS, undefined, { signal })
    }
    return 'ended'
  }

  #notReady(outcome: 'ended' | 'late', child: ChildProcess, tail: string): TributaryError {
    const title = SERVICE_TITLES[this.plan.name]
    const how =
      outcome === 'late'
        ? `did not answer on port ${this.plan.port} within ${this.plan.readyWithinMs / 1000} s`
        : `ended while starting (exit code ${child.exitCode ?? child.signalCode ?? 'unknown'})`
    return new TributaryError('stack-failed', `${title} ${how}. Its log: ${this.logFile}\n${tail}`)
  }

  /** Asks the server to end, and kills it when it takes longer than `graceMs`. */
  async stop(graceMs = this.plan.stopWithinMs): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const exited = once(child, 'exit')
    child.kill(STOP_SIGNALS[this.plan.name])
    const late = new AbortController()
    const overdue = delay(graceMs, undefined, { signal: late.signal }).then(
      () => killGroup(child.pid),
      () => undefined, // it ended in time
    )
    await exited
    late.abort()
    await overdue
  }

  /** Kills the server as a crash would. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const exited = once(child, 'exit')
    killGroup(child.pid)
    await exited
  }
}

/** Keeps one earlier log, so that a stack which runs for months does not fill the disk. */
export async function rotateLog(path: string): Promise<void> {
  const bytes = await stat(path).then(
    (found) => found.size,
    () => 0,
  )
  if (bytes <= LOG_BYTES_MAX) return
  await copyFile(path, `${path}.1`)
  await truncate(path, 0)
}

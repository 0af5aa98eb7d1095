import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { closedPort } from '../../support/cli.ts'
import { COMMAND_ENV, NODE_FLAGS } from '../../support/first-line.ts'
import { eventually } from '../../support/flow.ts'
import { cpuSeconds, residentKb } from '../../support/process-usage.ts'

/** What a process tells of itself. Bytes and milliseconds. */
export interface Probe {
  readonly heapUsed: number
  readonly heapTotal: number
  readonly external: number
  readonly arrayBuffers: number
  readonly delayP99Ms: number
  readonly delayMaxMs: number
  /** The most processor time between two turns of its event loop. */
  readonly turnMaxMs: number
}

export interface Measured {
  /** The most that was ever resident, and what is now. */
  readonly peakMb: number
  readonly residentMb: number
  /** User and system time since its start. */
  readonly cpuSeconds: number
  /** The largest of each that was seen; these are samples, the peak is not. */
  readonly heapTotalMb: number
  readonly arrayBuffersMb: number
  readonly delayP99Ms: number
  readonly delayMaxMs: number
  /** The most processor time between two turns of its event loop. */
  readonly turnMaxMs: number
}

/** `tributary <args>` as it is shipped, in a process of its own that is watched from outside. */
export interface MeasuredProcess {
  readonly startedAtMs: number
  measure(): Measured
  /** Records that Kafka has acknowledged, over all of the topics whose name begins so. */
  published(topicPrefix: string): Promise<number>
  ready(): Promise<void>
  stop(): Promise<void>
}

const CLI = fileURLToPath(new URL('../../../ops/cli/tributary.ts', import.meta.url))
const PROBE = new URL('./probe-process.ts', import.meta.url).href
const LOG_CHARS_MAX = 20_000
const MEGABYTE = 2 ** 20
const STOP_MS_MAX = 30_000
const READY_MS_MAX = 120_000

export async function startMeasured(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  nodeFlags: readonly string[] = NODE_FLAGS,
): Promise<MeasuredProcess> {
  const port = await closedPort()
  const child = spawn(
    process.execPath,
    [...nodeFlags, '--import', PROBE, CLI, ...args, '--port', String(port), '--log-level', 'warn'],
    { env: { ...env, ...COMMAND_ENV }, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] },
  )
  const startedAtMs = performance.now()
  let log = ''
  let heapTotal = 0
  let arrayBuffers = 0
  let last: Probe | undefined
  child.stderr!.on('data', (chunk) => {
    log = (log + chunk).slice(-LOG_CHARS_MAX)
  })
  child.on('message', (probe: Probe) => {
    last = probe
    heapTotal = Math.max(heapTotal, probe.heapTotal)
    arrayBuffers = Math.max(arrayBuffers, probe.arrayBuffers)
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const alive = () => {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`capture ended too early\n${log}`)
  }
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)

  return {
    startedAtMs,
    measure() {
      alive()
      const { now, peak } = residentKb(child.pid!)
      return {
        peakMb: peak / 1024,
        residentMb: now / 1024,
        cpuSeconds: cpuSeconds(child.pid!),
        heapTotalMb: heapTotal / MEGABYTE,
        arrayBuffersMb: arrayBuffers / MEGABYTE,
        delayP99Ms: last?.delayP99Ms ?? 0,
        delayMaxMs: last?.delayMaxMs ?? 0,
        turnMaxMs: last?.turnMaxMs ?? 0,
      }
    },
    async published(topicPrefix) {
      alive()
      const metrics = await (await get('/metrics')).text()
      const counts = metrics.matchAll(/^tributary_capture_records_total\{[^}]*topic="([^"]+)"\} (\d+)$/gm)
      return counts.reduce((sum, [, topic, count]) => sum + (topic!.startsWith(topicPrefix) ? Number(count) : 0), 0)
    },
    async ready() {
      await eventually(
        async () => {
          alive()
          return (await get('/readyz')).ok
        },
        () => `capture is ready\n${log}`,
        READY_MS_MAX,
      )
      child.send('ready')
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
      await exited
      clearTimeout(timer)
    },
  }
}

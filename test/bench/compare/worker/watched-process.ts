import { spawn } from 'node:child_process'
import { cpuSeconds, residentKb } from '../../../support/process-usage.ts'

/** A process that is watched from outside, the same way whatever it runs. */
export interface WatchedProcess {
  readonly startedAtMs: number
  /** @throws Error with the end of its output when it has ended */
  alive(): void
  log(): string
  /** The most memory it ever held. */
  peakMb(): number
  /** User and system time that it took between two moments (milliseconds since 1970), from samples. */
  cpuSecondsBetween(fromMs: number, toMs: number): number
  kill(): Promise<void>
  stop(): Promise<void>
}

interface Sample {
  readonly atMs: number
  readonly cpuSeconds: number
}

const SAMPLE_MS = 100
const LOG_CHARS_MAX = 40_000
const STOP_MS_MAX = 60_000

const running = new Set<() => Promise<void>>()

/** Ends whatever still runs, because the benchmark failed or was interrupted. */
export async function killWatched(): Promise<void> {
  await Promise.all([...running].map((kill) => kill()))
}

export function startWatched(
  name: string,
  file: string,
  args: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly cwd?: string },
): WatchedProcess {
  const startedAtMs = Date.now()
  const child = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const samples: Sample[] = [{ atMs: startedAtMs, cpuSeconds: 0 }]
  let log = ''
  let peakMb = 0
  const keep = (chunk: Buffer) => {
    log = (log + chunk).slice(-LOG_CHARS_MAX)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const sample = () => {
    if (ended()) return
    const usage = readUsage(child.pid!)
    if (usage === null) return
    peakMb = usage.peakMb
    samples.push({ atMs: Date.now(), cpuSeconds: usage.cpuSeconds })
  }
  const sampling = setInterval(sample, SAMPLE_MS)
  const ended = () => child.exitCode !== null || child.signalCode !== null
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const kill = async () => {
    sample()
    clearInterval(sampling)
    running.delete(kill)
    if (!ended()) child.kill('SIGKILL')
    await exited
  }
  running.add(kill)

  return {
    startedAtMs,
    alive() {
      if (ended()) throw new Error(`${name} ended too early (${child.signalCode ?? child.exitCode})\n${log}`)
    },
    log: () => log,
    peakMb() {
      sample()
      return peakMb
    },
    cpuSecondsBetween(fromMs, toMs) {
      sample()
      return cpuAt(samples, toMs) - cpuAt(samples, fromMs)
    },
    kill,
    async stop() {
      sample()
      if (!ended()) child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
      await exited
      clearTimeout(timer)
      clearInterval(sampling)
      running.delete(kill)
    },
  }
}

/** Between the samples around a moment, in proportion. */
export function cpuAt(samples: readonly Sample[], atMs: number): number {
  const after = samples.findIndex((sample) => sample.atMs >= atMs)
  if (after < 0) return samples.at(-1)!.cpuSeconds
  if (after === 0) return samples[0]!.cpuSeconds
  const [a, b] = [samples[after - 1]!, samples[after]!]
  return a.cpuSeconds + ((atMs - a.atMs) / (b.atMs - a.atMs)) * (b.cpuSeconds - a.cpuSeconds)
}

/** @returns null when the process is just gone */
function readUsage(pid: number): { cpuSeconds: number; peakMb: number } | null {
  try {
    return { cpuSeconds: cpuSeconds(pid), peakMb: residentKb(pid).peak / 1024 }
  } catch {
    return null
  }
}

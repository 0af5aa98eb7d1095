import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { systemCode } from '../../../schemas/errors.ts'

/** A process, and a mark of when it started: a pid alone may belong to another process by now. */
export interface ProcessIdentity {
  readonly pid: number
  readonly startMark: string
}

/** As the files of a data folder hold it. */
export const identitySchema = z.object({ pid: z.number().int().positive(), startMark: z.string() })

const POLL_INTERVAL_MS = 25

/** The start mark of a living process; undefined when there is none, or only its zombie. */
function startMarkOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return startMarkFromPs(pid)
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the program's name in brackets and may hold anything: count from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}/${fields[19]}`
  } catch (cause) {
    if (isMissing(cause)) return undefined
    throw cause
  }
}

function startMarkFromPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    return line === '' || line.startsWith('Z') ? undefined : line.slice(line.indexOf(' ')).trim()
  } catch {
    // ps ends with an error when there is no such process.
    return undefined
  }
}

function isMissing(cause: unknown): boolean {
  const code = systemCode(cause)
  return code === 'ENOENT' || code === 'ESRCH'
}

/** The identity of a living process, or undefined. */
export function identify(pid: number): ProcessIdentity | undefined {
  const startMark = startMarkOf(pid)
  return startMark === undefined ? undefined : { pid, startMark }
}

export function isAlive(identity: ProcessIdentity): boolean {
  return startMarkOf(identity.pid) === identity.startMark
}

/** Sends a signal to that very process. False when it is gone; a recycled pid is never touched. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false
  try {
    process.kill(identity.pid, signal)
    return true
  } catch (cause) {
    if (isMissing(cause)) return false
    throw cause
  }
}

/** Waits until the process is gone. False when it is still there after `withinMs`. */
async function waitUntilGone(identity: ProcessIdentity, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs
  while (isAlive(identity)) {
    if (performance.now() > deadline) return false
    await delay(POLL_INTERVAL_MS)
  }
  return true
}

/** Asks the process to end, and kills it when it has not after `graceMs`. False when it was gone already. */
export async function endProcess(identity: ProcessIdentity, signal: NodeJS.Signals, graceMs: number): Promise<boolean> {
  if (!signalProcess(identity, signal)) return false
  if (await waitUntilGone(identity, graceMs)) return true
  signalProcess(identity, 'SIGKILL')
  await waitUntilGone(identity, graceMs)
  return true
}

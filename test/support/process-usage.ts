import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Clock ticks a second, as /proc counts processor time. */
const TICKS_PER_SECOND = 100

/**
 * Memory of a process that is resident in kB: what is now, and the most that ever was. Only where there is /proc.
 * @throws when the process is gone
 */
export function residentKb(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)![1])
  return { now: kilobytes('VmRSS'), peak: kilobytes('VmHWM') }
}

/** The most memory that a process has had; where the system does not keep it, what it has now. */
export function peakMegabytes(pid: number): number {
  const kilobytes =
    process.platform === 'linux'
      ? residentKb(pid).peak
      : Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }))
  return kilobytes / 1024
}

/**
 * User and system time of a process since its start. Only where there is /proc.
 * @throws when the process is gone
 */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field is the command in parentheses, which may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

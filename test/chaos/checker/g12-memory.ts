import type { RunHistory } from '../histories/history.ts'
import type { Verdict, Violation } from './verdict.ts'

/** G12: memory is bounded: no process was ever above what the run allows. */
export function checkG12({ about, processes }: RunHistory): Verdict {
  const violations: Violation[] = []
  const seen = new Set<number>()
  for (const { process, pid, rssBytes, atMs } of processes) {
    if (rssBytes <= about.rssBytesMax || seen.has(pid)) continue
    seen.add(pid)
    const megabytes = Math.round(rssBytes / 1024 / 1024)
    violations.push({
      guarantee: 'G12',
      entity: '',
      key: '',
      what: `${process} had ${megabytes} MB at ${new Date(atMs).toISOString()}, of ${Math.round(about.rssBytesMax / 1024 / 1024)}`,
      story: [],
    })
  }
  return { guarantee: 'G12', compared: processes.length, violations }
}

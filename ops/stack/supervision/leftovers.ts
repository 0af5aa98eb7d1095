import { STOP_SIGNALS } from '../servers/server-plan.ts'
import { SERVICE_NAMES, type ServiceName } from '../services.ts'
import { endProcess } from './process-identity.ts'
import type { RunRecord } from './run-record.ts'

const GRACE_MS = 10_000

/**
 * Ends the servers of a supervisor that is gone: left alone they would keep their ports and data. Only the very processes of the
 * record are touched. Answers which there were.
 */
export async function endLeftovers(record: RunRecord | undefined): Promise<ServiceName[]> {
  const left = SERVICE_NAMES.flatMap((name) => {
    const found = record?.services[name]?.process
    return found === undefined || found === null ? [] : [{ name, found }]
  })
  const ended = await Promise.all(
    left.map(async ({ name, found }) => ((await endProcess(found, STOP_SIGNALS[name], GRACE_MS)) ? [name] : [])),
  )
  return ended.flat()
}

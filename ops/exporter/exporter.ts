import { pause } from '../../connectors/pause.ts'
import type { Environment } from '../process/environment.ts'
import type { ClusterLook } from './look.ts'
import { Lookout } from './lookout.ts'

/** From the end of one look to the beginning of the next: as often as Prometheus usually asks. */
export const LOOK_EVERY_MS = 15_000

export interface ExporterParts {
  readonly onLook: (look: ClusterLook) => void
  readonly onReady: (ready: boolean) => void
}

/** Looks at the cluster until `signal` aborts. Servers that are away are told, never thrown. */
export async function runExporter(
  environment: Environment,
  { onLook, onReady }: ExporterParts,
  signal: AbortSignal,
): Promise<void> {
  const lookout = new Lookout(environment)
  let told = new Set<string>()
  try {
    while (!signal.aborted) {
      const look = await lookout.look(signal)
      onLook(look)
      onReady(true)
      const reasons = new Set(look.failures.map(({ message }) => message))
      for (const reason of reasons.difference(told)) environment.log('warn', 'the exporter got no answer', { reason })
      told = reasons
      await pause(LOOK_EVERY_MS, signal)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    onReady(false)
    await lookout.close()
  }
}

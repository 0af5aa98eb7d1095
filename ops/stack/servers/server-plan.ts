import { TributaryError } from '../../../schemas/errors.ts'
import type { Artifacts } from '../artifacts.ts'
import type { DataFolder } from '../data-folder.ts'
import type { PortName, Ports } from '../ports.ts'
import type { ServiceName } from '../services.ts'
import type { Tool } from '../tool.ts'

/** What a server is prepared with. */
export interface ServerContext {
  readonly folder: DataFolder
  readonly ports: Ports
  readonly env: NodeJS.ProcessEnv
  /** False only for tests: the server need not survive a crash of the machine. */
  readonly durable: boolean
  /** The Java program to use. @throws TributaryError `environment-missing` */
  readonly java: () => Promise<string>
  /** The jars, fetched when they are not there. @throws TributaryError `environment-missing`, `download-failed` */
  readonly artifacts: () => Promise<Artifacts>
  /** Runs a preparing tool, its output in the service's log. @throws TributaryError `stack-failed` when it fails */
  readonly prepareWith: (tool: Tool) => Promise<void>
}

/** The signal that asks each server to end and settle its data. */
export const STOP_SIGNALS: Record<ServiceName, NodeJS.Signals> = {
  kafka: 'SIGTERM',
  registry: 'SIGTERM',
  redis: 'SIGTERM',
  // A fast shutdown. With SIGTERM it would wait for its clients to leave.
  postgres: 'SIGINT',
}

/** How one server is run. */
export interface ServerPlan {
  readonly name: ServiceName
  readonly port: number
  readonly launch: Tool
  readonly stopWithinMs: number
  readonly readyWithinMs: number
  /** Whether a start that ended early, with this end of its log, may succeed when it is tried again. */
  readonly mayStartLater?: (logTail: string) => boolean
}

/** Creates the data folder of a server on its first start, and answers how to run it. */
export type PlanServer = (context: ServerContext) => Promise<ServerPlan>

/** The port chosen for a service; the supervisor chooses one for each that it starts. */
export function portOf(context: ServerContext, name: PortName): number {
  const port = context.ports[name]
  if (port === undefined) throw new TributaryError('invariant-broken', `No port was chosen for ${name}.`)
  return port
}

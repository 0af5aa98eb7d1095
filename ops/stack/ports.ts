import { createServer } from 'node:net'
import { z } from 'zod'
import { TributaryError } from '../../schemas/errors.ts'
import type { DataFolder } from './data-folder.ts'
import { PORT_VARIABLES, SERVICE_NAMES, SERVICE_TITLES, type ServiceName } from './services.ts'
import { readIfPresent, writeWhole } from './supervision/run-record.ts'

/** Kafka needs a second port, for its controller. No client uses it. */
export type PortName = ServiceName | 'kafkaController'

const portsSchema = z.partialRecord(z.enum([...SERVICE_NAMES, 'kafkaController']), z.number().int().min(1).max(65_535))
export type Ports = z.infer<typeof portsSchema>

/**
 * Below the range from which systems take the ports of outgoing connections. From that range, a client which keeps trying to
 * reach a server that is down can be given the server's own port, connect to itself, and keep the server from starting.
 */
const PORT_RANGE = { first: 20_000, count: 12_000 }
const ATTEMPTS_MAX = 200

/** The ports that the environment asks for. @throws TributaryError `environment-missing` when one is not a port */
export function configuredPorts(env: NodeJS.ProcessEnv): Ports {
  const ports: Ports = {}
  for (const name of SERVICE_NAMES) {
    const text = env[PORT_VARIABLES[name]]
    if (text === undefined || text === '') continue
    const port = Number(text)
    if (!/^\d+$/.test(text) || port < 1 || port > 65_535) {
      throw new TributaryError(
        'environment-missing',
        `${PORT_VARIABLES[name]} is not a port: set it to 1 to 65535, or not at all.`,
      )
    }
    ports[name] = port
  }
  return ports
}

/**
 * The ports to start with: the configured one, else the one used last time if it is free, else any free one.
 * The choice is kept in the data folder.
 * @throws TributaryError `stack-failed` when a configured port is taken
 */
export async function choosePorts(folder: DataFolder, names: readonly PortName[], configured: Ports): Promise<Ports> {
  const remembered = await rememberedPorts(folder)
  const chosen: Ports = {}
  const taken = new Set<number>()
  for (const name of names) {
    const port = await choosePort(name, configured[name], remembered[name], taken)
    chosen[name] = port
    taken.add(port)
  }
  await writeWhole(folder.portsFile, `${JSON.stringify({ ...remembered, ...chosen })}\n`)
  return chosen
}

async function choosePort(
  name: PortName,
  configured: number | undefined,
  remembered: number | undefined,
  taken: ReadonlySet<number>,
): Promise<number> {
  if (configured !== undefined) {
    if (!taken.has(configured) && (await isFree(configured))) return configured
    const title = name === 'kafkaController' ? 'Kafka' : SERVICE_TITLES[name]
    const variable = name === 'kafkaController' ? 'the port' : PORT_VARIABLES[name]
    throw new TributaryError(
      'stack-failed',
      `${title} cannot listen on port ${configured}: another program does. Stop it, or set ${variable} to a free port, or unset it.`,
    )
  }
  if (remembered !== undefined && !taken.has(remembered) && (await isFree(remembered))) return remembered
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = PORT_RANGE.first + Math.floor(Math.random() * PORT_RANGE.count)
    if (!taken.has(port) && (await isFree(port))) return port
  }
  throw new TributaryError(
    'stack-failed',
    `No free port found from ${PORT_RANGE.first} on after ${ATTEMPTS_MAX} attempts.`,
  )
}

async function rememberedPorts(folder: DataFolder): Promise<Ports> {
  const text = await readIfPresent(folder.portsFile)
  if (text === undefined) return {}
  try {
    return portsSchema.parse(JSON.parse(text))
  } catch {
    // Only a convenience: a damaged file costs new ports.
    return {}
  }
}

/** Whether nothing listens on a port of this machine. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EADDRINUSE' || cause.code === 'EACCES') resolve(false)
      else reject(cause)
    })
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

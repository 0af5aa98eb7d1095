import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { TributaryError } from '../../../schemas/errors.ts'
import { serverDataDir } from '../data-folder.ts'
import { findOnPath } from '../programs.ts'
import { type PlanServer, portOf, type ServerContext, type ServerPlan } from './server-plan.ts'

const READY_WITHIN_MS = 30_000
const STOP_WITHIN_MS = 10_000

/** Redis from the PATH, else the binary that the pom's embedded-redis jar holds for this system. */
export const planRedis: PlanServer = async (context: ServerContext): Promise<ServerPlan> => {
  const binary = findOnPath('redis-server', context.env) ?? (await bundledRedis((await context.artifacts()).redisDir))
  const dir = serverDataDir(context.folder, 'redis')
  const port = portOf(context, 'redis')
  await mkdir(dir, { recursive: true })
  const settings: Record<string, string> = {
    bind: '127.0.0.1',
    port: String(port),
    dir,
    // The log of commands alone: it loses at most a second in a crash of the machine, nothing in a kill.
    appendonly: 'yes',
    appendfsync: context.durable ? 'everysec' : 'no',
    save: '',
    // The ledger must never be evicted: a lost entry makes a full patch at best.
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
  }
  return {
    name: 'redis',
    port,
    launch: {
      file: binary,
      args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
      cwd: dir,
      env: context.env,
    },
    stopWithinMs: STOP_WITHIN_MS,
    readyWithinMs: READY_WITHIN_MS,
  }
}

const ARCHITECTURE_NAMES: Record<string, string> = { x64: 'amd64', arm64: 'arm64', ia32: '386' }

async function bundledRedis(redisDir: string): Promise<string> {
  const suffix = `-${process.platform}-${ARCHITECTURE_NAMES[process.arch] ?? process.arch}`
  const name = (await readdir(redisDir)).find((entry) => entry.endsWith(suffix))
  if (name !== undefined) return join(redisDir, name)
  throw new TributaryError(
    'environment-missing',
    `There is no Redis for ${process.platform} on ${process.arch} in the stack: install \`redis-server\` on the PATH, or set TRIBUTARY_REDIS_URL.`,
  )
}

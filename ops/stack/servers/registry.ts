import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { TributaryError } from '../../../schemas/errors.ts'
import { serverDataDir } from '../data-folder.ts'
import { REGISTRY_PATH } from './probes.ts'
import { type PlanServer, portOf, type ServerContext, type ServerPlan } from './server-plan.ts'

const READY_WITHIN_MS = 120_000
const STOP_WITHIN_MS = 15_000

/** The base address that clients of the Confluent-compatible API take. */
export function registryUrl(port: number): string {
  return `http://127.0.0.1:${port}${REGISTRY_PATH}`
}

/**
 * Apicurio Registry over an H2 database in a file of the data folder. Its default keeps schemas in memory only: after a
 * restart, ids in the records of the topics would be unknown or, worse, given again to other schemas. A file of its own rather than
 * the local PostgreSQL, so that each starts, fails and is replaced by a given address alone.
 */
export const planRegistry: PlanServer = async (context: ServerContext): Promise<ServerPlan> => {
  const java = await context.java()
  const { registryDir } = await context.artifacts()
  const dir = serverDataDir(context.folder, 'registry')
  const port = portOf(context, 'registry')
  await mkdir(dir, { recursive: true })
  // WRITE_DELAY=0: each commit is written out at once. By default a kill loses the last half second of schemas, ids and all.
  const database = `jdbc:h2:file:${join(dir, 'registry')};WRITE_DELAY=0`
  const settings = {
    'quarkus.http.host': '127.0.0.1',
    'quarkus.http.port': port,
    'quarkus.http.access-log.enabled': 'false',
    'apicurio.storage.kind': 'sql',
    'apicurio.storage.sql.kind': 'h2',
    'apicurio.datasource.url': database,
    'apicurio.datasource.jdbc.initial-size': 2,
    'apicurio.datasource.jdbc.min-size': 2,
    'apicurio.datasource.jdbc.max-size': 20,
    'java.io.tmpdir': dir,
  }
  const properties = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`)
  const jvm = ['-Xms64m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', ...properties]
  return {
    name: 'registry',
    port,
    launch: { file: java, args: [...jvm, '-jar', await runnerJar(registryDir)], cwd: dir, env: context.env },
    stopWithinMs: STOP_WITHIN_MS,
    readyWithinMs: READY_WITHIN_MS,
  }
}

async function runnerJar(registryDir: string): Promise<string> {
  const name = (await readdir(registryDir)).find((entry) => entry.endsWith('-runner.jar'))
  if (name !== undefined) return join(registryDir, name)
  throw new TributaryError(
    'stack-failed',
    `There is no runner jar in ${registryDir}: delete that folder's parent and start again.`,
  )
}

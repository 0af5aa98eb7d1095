import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFile, chmod, chown, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import postgres from 'postgres'
import {
  createDataFolder,
  type DataFolder,
  dataFolder,
  logFile,
  serverDataDir,
} from '../../../ops/stack/data-folder.ts'
import { choosePorts } from '../../../ops/stack/ports.ts'
import { findBinaries, postgresEnvironment } from '../../../ops/stack/servers/postgres.ts'
import { asUnprivileged, postgresUser } from '../../../ops/stack/servers/postgres-user.ts'
import { endProcess } from '../../../ops/stack/supervision/process-identity.ts'
import { ServerProcess } from '../../../ops/stack/supervision/server-process.ts'
import { logTail, runTool, type Tool } from '../../../ops/stack/tool.ts'

const run = promisify(execFile)

const START_WITHIN_MS = 30_000
const STOP_WITHIN_MS = 15_000
const TOOL_WITHIN_MS = 60_000
const PROMOTE_WITHIN_SECONDS = 30

/** The parameters of the server, as in postgresql.conf, such as `{ max_slot_wal_keep_size: '64MB' }`. */
export type ServerSettings = Readonly<Record<string, string>>

export interface OwnPostgresOptions {
  readonly settings?: ServerSettings
  /** The size of one file of the log, fixed for the life of the cluster. Small ones make limits on the log quick to reach. */
  readonly walSegmentMB?: 1 | 2 | 4 | 8 | 16
}

/** A PostgreSQL server of one test, with logical decoding, which it may stop, kill, set back in time and copy. */
export interface OwnPostgres {
  /** The superuser's address, of the database `postgres`. The same after every start, and after {@link restore}. */
  readonly url: string
  /** The end of the server's log of messages, for a test that failed. */
  logTail(): Promise<string>
  /** Does nothing when it runs. */
  start(): Promise<void>
  /** `fast` settles everything first; `immediate` leaves it to the recovery at the next start. Does nothing when it is stopped. */
  stop(mode: 'fast' | 'immediate'): Promise<void>
  /** Ends the server and all its processes as a crash of the machine would, but for what is in the system's write cache. */
  kill(): Promise<void>
  /** Sets parameters. Those that need a restart take effect at the next start. */
  configure(settings: ServerSettings): Promise<void>
  /** Stops the server, copies its data folder, starts it again. @returns what {@link restore} takes */
  copyData(): Promise<string>
  /** The server as it was at that copy, slots included: the same system identifier, an earlier end of the log, the same timeline. */
  restore(copy: string): Promise<void>
  /** A hot standby of this server, from a copy, that follows it through a physical slot and brings failover slots along. */
  standbyFromCopy(): Promise<OwnStandby>
  /** Ends the server and removes everything. Idempotent. Not its standbys: each is closed by itself. */
  close(): Promise<void>
}

export interface OwnStandby extends OwnPostgres {
  /** The physical slot at the primary that holds back the log for this standby. */
  readonly primarySlot: string
  /** Makes it a primary, on a new timeline. Its primary is better stopped first, as after a real failure. */
  promote(): Promise<void>
}

const SETTINGS: ServerSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'logical',
  max_replication_slots: '20',
  max_wal_senders: '20',
  max_connections: '60',
  shared_buffers: '32MB',
  // What a killed process has written stays with the system; only a crash of the machine would lose it.
  fsync: 'off',
  // Tests wait for none of these intervals.
  wal_receiver_status_interval: '1s',
  wal_retrieve_retry_interval: '200ms',
}

/** Starts a server; takes two to four seconds. */
export async function startOwnPostgres({
  settings = {},
  walSegmentMB = 16,
}: OwnPostgresOptions = {}): Promise<OwnPostgres> {
  const site = await makeSite(randomBytes(18).toString('base64url'))
  try {
    const passwordFile = join(site.folder.root, 'password')
    await writeFile(passwordFile, `${site.password}\n`)
    await own(passwordFile)
    const { initdb } = await findBinaries()
    await mkdir(site.dir, { mode: 0o700 })
    await own(site.dir)
    const access = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
    const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
    const size = ['--no-sync', '--no-instructions', `--wal-segsize=${walSegmentMB}`]
    await runToEnd(site, await tool(site, initdb, [`--pgdata=${site.dir}`, ...access, ...locale, ...size]))
    await appendFile(join(site.dir, 'postgresql.conf'), settingLines({ ...SETTINGS, ...settings }))
    const server = await serverAt(site)
    await server.start()
    return server
  } catch (error) {
    await rm(site.folder.root, { recursive: true, force: true })
    throw error
  }
}

/** Where one server lives. */
interface Site {
  readonly folder: DataFolder
  readonly dir: string
  readonly port: number
  readonly password: string
}

async function makeSite(password: string): Promise<Site> {
  const root = await mkdtemp(join(tmpdir(), 'tributary-postgres-'))
  // The server may run as another user, who has to pass here.
  await chmod(root, 0o711)
  const folder = dataFolder(root)
  await createDataFolder(folder)
  const { postgres: port } = await choosePorts(folder, ['postgres'], {})
  return { folder, dir: serverDataDir(folder, 'postgres'), port: port!, password }
}

async function tool(site: Site, file: string, args: readonly string[]): Promise<Tool> {
  const env = postgresEnvironment(process.env)
  return await asUnprivileged({ file, args, cwd: site.folder.root, env }, await postgresUser(), [site.dir, file])
}

async function runToEnd(site: Site, started: Tool): Promise<void> {
  const log = logFile(site.folder, 'postgres')
  const code = await runTool(started, { logFile: log, signal: AbortSignal.timeout(TOOL_WITHIN_MS) })
  if (code !== 0) throw new Error(`${started.file} ended with ${code}:\n${await logTail(log)}`)
}

async function own(path: string): Promise<void> {
  const user = await postgresUser()
  if (user !== undefined) await chown(path, user.uid, user.gid)
}

function settingLines(settings: ServerSettings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
    .join('')
}

async function serverAt(site: Site): Promise<OwnPostgres> {
  const { folder, dir, port, password } = site
  const log = logFile(folder, 'postgres')
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
  const { postgres: program } = await findBinaries()
  const launch = await tool(site, program, ['-D', dir, '-p', String(port)])
  const server = new ServerProcess(
    {
      name: 'postgres',
      port,
      launch,
      stopWithinMs: STOP_WITHIN_MS,
      readyWithinMs: START_WITHIN_MS,
      // After a crash its processes notice a moment later, and hold the shared memory until then.
      mayStartLater: (tail) => tail.includes('shared memory block') || tail.includes('lock file "postmaster.pid"'),
    },
    log,
    () => {},
  )
  // A test process that ends without close() leaves no server behind.
  const endWithUs = () => {
    const pid = server.identity?.pid
    if (pid !== undefined) signalIfThere(pid, 'SIGQUIT')
  }
  process.on('exit', endWithUs)
  let copies = 0

  const self: OwnPostgres = {
    url,
    logTail: () => logTail(log),
    async start() {
      if (server.identity === undefined) await server.start(AbortSignal.timeout(START_WITHIN_MS), async () => {})
    },
    async stop(mode) {
      const identity = server.identity
      if (identity === undefined) return
      if (mode === 'fast') await server.stop()
      else await endProcess(identity, 'SIGQUIT', STOP_WITHIN_MS)
      await untilNoticed(server)
    },
    async kill() {
      const identity = server.identity
      if (identity === undefined) return
      // Each of its processes has a process group of its own, so that the group's kill reaches the first one only.
      const children = await childrenOf(identity.pid)
      await server.kill()
      for (const pid of children) signalIfThere(pid, 'SIGKILL')
    },
    async configure(settings) {
      await appendFile(join(dir, 'postgresql.conf'), settingLines(settings))
      if (server.identity !== undefined) process.kill(server.identity.pid, 'SIGHUP')
    },
    async copyData() {
      const copy = join(folder.root, `copy-${++copies}`)
      await self.stop('fast')
      await run('cp', ['-a', dir, copy])
      await self.start()
      return copy
    },
    async restore(copy) {
      await self.stop('fast')
      await rm(dir, { recursive: true, force: true })
      await run('cp', ['-a', copy, dir])
      await self.start()
    },
    standbyFromCopy: () => startStandby(self, site),
    async close() {
      process.off('exit', endWithUs)
      await self.stop('immediate')
      await rm(folder.root, { recursive: true, force: true })
    },
  }
  return self
}

async function startStandby(primary: OwnPostgres, { password, port }: Site): Promise<OwnStandby> {
  const primarySlot = `standby_${randomBytes(4).toString('hex')}`
  await query(primary.url, (sql) => sql`SELECT pg_create_physical_replication_slot(${primarySlot}, true)`)
  const copy = await primary.copyData()
  const site = await makeSite(password)
  // Same file system: a move. Copies of slots would be in the way of those that the primary sends.
  await rename(copy, site.dir)
  for (const slot of await readdir(join(site.dir, 'pg_replslot')))
    await rm(join(site.dir, 'pg_replslot', slot), { recursive: true })
  const settings = {
    primary_conninfo: `host=127.0.0.1 port=${port} user=postgres password=${password} dbname=postgres`,
    primary_slot_name: primarySlot,
    hot_standby_feedback: 'on',
    sync_replication_slots: 'on',
  }
  await appendFile(join(site.dir, 'postgresql.conf'), settingLines(settings))
  await writeFile(join(site.dir, 'standby.signal'), '')
  await own(join(site.dir, 'standby.signal'))
  const server = await serverAt(site)
  try {
    await server.start()
  } catch (error) {
    await server.close()
    throw error
  }
  return {
    ...server,
    primarySlot,
    async promote() {
      await query(server.url, (sql) => sql`SELECT pg_promote(true, ${PROMOTE_WITHIN_SECONDS})`)
    },
  }
}

async function query(url: string, ask: (sql: postgres.Sql) => PromiseLike<unknown>): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await ask(sql)
  } finally {
    await sql.end()
  }
}

/** The exit event may come after the process is gone. */
async function untilNoticed(server: ServerProcess): Promise<void> {
  while (server.identity !== undefined) await new Promise((resolve) => setImmediate(resolve))
}

async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid='])
  const pairs = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
  return pairs.flatMap(([child, parent]) => (parent === pid ? [child!] : []))
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

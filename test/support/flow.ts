import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { connectKafka } from '../../connectors/kafka/client.ts'
import { type Declaration, loadDeclaration } from '../../ops/declaration/declaration.ts'
import { createEnvironment, type Environment } from '../../ops/process/environment.ts'
import { planProvision } from '../../ops/provision/provision.ts'
import { COMMAND_ENV, NODE_FLAGS } from './first-line.ts'

/** A pipeline of its own on the local stack: source and warehouse database, topics, groups and ledger keys with a unique prefix. */
export interface Flow {
  readonly prefix: string
  readonly source: postgres.Sql
  readonly warehouse: postgres.Sql
  readonly sourceUrl: string
  readonly warehouseUrl: string
  readonly file: string
  readonly env: NodeJS.ProcessEnv
  declaration(): Declaration
  environment(): Environment
  provision(): Promise<void>
  /** Starts `tributary <args>` as a process of its own. */
  start(...args: string[]): FlowProcess
  /** As {@link start}, with other environment variables for this process alone. */
  startWith(settings: Readonly<Record<string, string>>, ...args: string[]): FlowProcess
  /** Runs `tributary <args>` to its end. */
  run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>
  writeDeclaration(text: string): void
  close(): Promise<void>
}

export interface FlowProcess {
  readonly child: ChildProcess
  /** The end of what it wrote to stderr. */
  log(): string
  kill(signal: NodeJS.Signals): void
  readonly exited: Promise<number | null>
}

const LOG_BYTES_MAX = 200_000

export function required(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set: the local stack is not running`)
  return value
}

/** The head of a declaration: a pipeline on the stack that the environment names. */
export const onLocalStack = (prefix: string) => `name: ${prefix}
kafka:
  brokers: "\${TRIBUTARY_KAFKA_BROKERS}"
  replication: \${TRIBUTARY_KAFKA_REPLICATION:-1}
registry: { url: "\${TRIBUTARY_REGISTRY_URL}" }
redis: { url: "\${TRIBUTARY_REDIS_URL}" }
ledger: { fingerprintKey: "\${TRIBUTARY_FINGERPRINT_KEY}" }`

/** The same with the source database of the flow as `erp`. */
export const onLocalErp = (prefix: string) => `${onLocalStack(prefix)}
sources:
  erp: { type: postgres, url: "\${ERP_URL}" }`

/**
 * @param declare the declaration's text for a prefix; databases and addresses are named as in the environment of the flow
 * @param settings environment variables that this flow sees otherwise than the run, such as a Redis of its own
 * @param sourceServer the superuser's address of the server that has the source, where it is not that of the run; closed after the flow
 */
export async function createFlow(
  declare: (prefix: string) => string,
  sourceSql: string,
  settings: Readonly<Record<string, string>> = {},
  sourceServer: string = required('TRIBUTARY_POSTGRES_URL'),
): Promise<Flow> {
  const prefix = `t${randomBytes(4).toString('hex')}`
  const admin = postgres(required('TRIBUTARY_POSTGRES_URL'), { max: 1, onnotice: () => {} })
  const sourceAdmin = postgres(sourceServer, { max: 1, onnotice: () => {} })
  const urlOf = (database: string, server = required('TRIBUTARY_POSTGRES_URL')) => {
    const url = new URL(server)
    url.pathname = `/${database}`
    return url.toString()
  }
  await sourceAdmin.unsafe(`CREATE DATABASE ${prefix}_source`)
  await admin.unsafe(`CREATE DATABASE ${prefix}_warehouse`)
  const sourceUrl = urlOf(`${prefix}_source`, sourceServer)
  const warehouseUrl = urlOf(`${prefix}_warehouse`)
  const source = postgres(sourceUrl, { max: 8, onnotice: () => {} })
  const warehouse = postgres(warehouseUrl, { max: 2, onnotice: () => {} })
  await source.unsafe(sourceSql)
  const folder = mkdtempSync(join(tmpdir(), 'tributary-flow-'))
  const file = join(folder, 'tributary.yaml')
  const env = {
    ...process.env,
    ERP_URL: sourceUrl,
    WAREHOUSE_URL: warehouseUrl,
    TRIBUTARY_FINGERPRINT_KEY: 'a key for tests only, 32 characters',
    ...settings,
  }
  writeFileSync(file, declare(prefix))
  const processes: FlowProcess[] = []
  const declaration = () => loadDeclaration(file, env)
  const environment = () => createEnvironment(declaration(), () => {})

  const flow: Flow = {
    prefix,
    source,
    warehouse,
    sourceUrl,
    warehouseUrl,
    file,
    env,
    declaration,
    environment,
    async provision() {
      const plan = await planProvision(environment())
      await plan.apply(() => {})
    },
    start: (...args) => flow.startWith({}, ...args),
    startWith(settings, ...args) {
      const started = startProcess([...args, '-f', file, '--port', '0', '--log-level', 'info'], { ...env, ...settings })
      processes.push(started)
      return started
    },
    async run(...args) {
      const child = spawn(process.execPath, ['ops/cli/tributary.ts', ...args, '-f', file], { env })
      let stdout = ''
      let stderr = ''
      child.stdout.on('data', (chunk) => {
        stdout += chunk
      })
      child.stderr.on('data', (chunk) => {
        stderr += chunk
      })
      const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
      return { code, stdout, stderr }
    },
    writeDeclaration: (text) => writeFileSync(file, text),
    async close() {
      for (const { child, kill } of processes) if (child.exitCode === null) kill('SIGKILL')
      await Promise.all(processes.map(({ exited }) => exited))
      await source.end()
      await warehouse.end()
      await dropSlots(sourceAdmin, prefix)
      await sourceAdmin.unsafe(`DROP DATABASE IF EXISTS ${prefix}_source WITH (FORCE)`)
      await sourceAdmin.end()
      await admin.unsafe(`DROP DATABASE IF EXISTS ${prefix}_warehouse WITH (FORCE)`)
      await admin.end()
      await deleteTopics(prefix, settings.TRIBUTARY_KAFKA_BROKERS)
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return flow
}

function startProcess(args: string[], env: NodeJS.ProcessEnv): FlowProcess {
  const child = spawn(process.execPath, [...NODE_FLAGS, 'ops/cli/tributary.ts', ...args], {
    env: { ...env, ...COMMAND_ENV },
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  let log = ''
  child.stderr?.on('data', (chunk) => {
    log = (log + chunk).slice(-LOG_BYTES_MAX)
  })
  const exited = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
  return { child, log: () => log, kill: (signal) => child.kill(signal), exited }
}

async function dropSlots(admin: postgres.Sql, prefix: string): Promise<void> {
  await eventually(async () => {
    await admin`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = ${`${prefix}_source`} AND active`
    await admin`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = ${`${prefix}_source`}`
    return true
  }, 'the slots are dropped')
}

async function deleteTopics(prefix: string, brokers?: string): Promise<void> {
  const kafka = connectKafka({
    brokers: (brokers ?? required('TRIBUTARY_KAFKA_BROKERS')).split(','),
    clientId: 'test',
    log: () => {},
  })
  const admin = kafka.admin()
  await admin.connect()
  const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(`${prefix}.`))
  if (topics.length > 0) await admin.deleteTopics({ topics })
  await admin.disconnect()
}

const POLL_MS = 100

/** Waits until `condition` is true; a condition that throws counts as false until the deadline, and then is the reason. */
export async function eventually(
  condition: () => Promise<boolean> | boolean,
  what: string | (() => string),
  deadlineMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs
  let last: unknown
  for (;;) {
    try {
      last = undefined
      if (await condition()) return
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline)
      throw new Error(`waited ${deadlineMs} ms in vain: ${typeof what === 'string' ? what : what()}`, { cause: last })
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

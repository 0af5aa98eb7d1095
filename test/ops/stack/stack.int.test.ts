import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openAdmin } from '../../../connectors/kafka/admin.ts'
import { connectKafka } from '../../../connectors/kafka/client.ts'
import { type StackAddresses, withoutAddresses } from '../../../ops/stack/addresses.ts'
import { dataFolder } from '../../../ops/stack/data-folder.ts'
import { serverIsReady } from '../../../ops/stack/servers/probes.ts'
import {
  type RunningStack,
  stackLogs,
  stackStatus,
  startDetachedStack,
  startStack,
  stopStack,
} from '../../../ops/stack/stack.ts'
import { lockOwner } from '../../../ops/stack/supervision/lock.ts'
import { isAlive, type ProcessIdentity } from '../../../ops/stack/supervision/process-identity.ts'
import { readRecord } from '../../../ops/stack/supervision/run-record.ts'
import { ownDataDir, startOwnStack } from '../../support/servers/own-stack.ts'

const PARENT = fileURLToPath(new URL('../../support/servers/stack-parent.ts', import.meta.url))
const UNTIL = { timeout: 45_000, interval: 25 }

const env = withoutAddresses(process.env)

test('all four servers keep their data and their ports when the stack is stopped and started', {
  timeout: 120_000,
}, async () => {
  const dataDir = await ownDataDir()
  const first = await startOwnStack({ dataDir })
  await writeEverywhere(first.addresses)
  // Even when it is killed, the registry must not give an id that records in the topics hold to another schema.
  await first.kill('registry')
  await first.stop()
  const second = await startOwnStack({ dataDir })
  expect(second.addresses).toEqual(first.addresses)
  expect(await readEverywhere(second.addresses)).toEqual({
    topic: true,
    schemaId: 1,
    key: '$1\r\n1\r\n',
    rows: 1,
    wal: 'logical',
  })
  await second.stop()
})

async function writeEverywhere(addresses: StackAddresses): Promise<void> {
  await withAdmin(addresses, (admin) =>
    admin.createTopics([{ topic: 'kept', partitions: 1, replication: 1, configs: {} }]),
  )
  await redis(addresses, 'SET kept 1')
  await withSql(addresses, async (sql) => await sql`create table kept as select 1 as one`)
  await schemaId(addresses, 'POST') // last: the registry is killed right after it has answered
}

async function readEverywhere(addresses: StackAddresses) {
  const topics = await withAdmin(addresses, (admin) => admin.describeTopics(['kept'], []))
  const rows = await withSql(
    addresses,
    async (sql) => await sql`select one, current_setting('wal_level') as wal from kept`,
  )
  return {
    topic: topics.has('kept'),
    schemaId: await schemaId(addresses, 'GET'),
    key: await redis(addresses, 'GET kept'),
    rows: rows.length,
    wal: rows[0]?.wal,
  }
}

async function withAdmin<T>(
  addresses: StackAddresses,
  use: (admin: Awaited<ReturnType<typeof openAdmin>>) => Promise<T>,
): Promise<T> {
  const brokers = addresses.kafkaBrokers.split(',')
  const admin = await openAdmin(connectKafka({ brokers, clientId: 'stack-test', log: () => undefined }), brokers)
  try {
    return await use(admin)
  } finally {
    await admin.close()
  }
}

async function withSql<T>(addresses: StackAddresses, use: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(addresses.postgresUrl, { max: 1 })
  try {
    return await use(sql)
  } finally {
    await sql.end()
  }
}

async function schemaId(addresses: StackAddresses, method: 'GET' | 'POST'): Promise<number> {
  const url = `${addresses.registryUrl}/subjects/kept-value/versions${method === 'GET' ? '/latest' : ''}`
  const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' }
  const body = JSON.stringify({ schema: '{"type":"record","name":"Kept","fields":[]}' })
  const response = await fetch(url, { method, headers, ...(method === 'POST' ? { body } : {}) })
  return ((await response.json()) as { id: number }).id
}

/** One command, and the answer as it is on the wire. */
async function redis(addresses: StackAddresses, command: string): Promise<string> {
  const { hostname, port } = new URL(addresses.redisUrl)
  const socket = connect(Number(port), hostname)
  try {
    socket.write(`${command}\r\n`)
    const [answer] = (await once(socket.setEncoding('utf8'), 'data')) as [string]
    return answer
  } finally {
    socket.destroy()
  }
}

test('a killed server stays down until it is restarted, on the same port', async () => {
  const stack = await startOwnStack({ services: ['redis', 'postgres'] })
  const port = Number(new URL(stack.addresses.redisUrl).port)
  await stack.kill('redis')
  expect(await serverIsReady('redis', port)).toBe(false)
  expect(await stateOf(stack, 'redis')).toBe('stopped')
  await stack.restart('redis')
  expect(await serverIsReady('redis', port)).toBe(true)
  await stack.kill('postgres')
  await stack.restart('postgres')
  expect(await stateOf(stack, 'postgres')).toBe('ready')
  await expect(stack.restart('kafka')).rejects.toMatchObject({ code: 'stack-failed' })
  await stack.stop()
})

async function stateOf(stack: RunningStack, service: string) {
  const { services } = await stackStatus({ dataDir: stack.dataDir, env })
  return services.find(({ name }) => name === service)?.state
}

test('a second stack in the same data folder is refused and the first goes on', async () => {
  const first = await startOwnStack({ services: ['redis'] })
  await expect(startOwnStack({ dataDir: first.dataDir, services: ['redis'] })).rejects.toMatchObject({
    code: 'stack-locked',
  })
  expect(await stateOf(first, 'redis')).toBe('ready')
  await first.stop()
})

test('when the parent is killed no server is left', async () => {
  const dataDir = await ownDataDir()
  const parent = startParent(dataDir)
  await said(parent, 'all ready')
  const processes = await recorded(dataDir)
  expect(processes.filter(isAlive)).toHaveLength(3)
  parent.kill('SIGKILL')
  await vi.waitUntil(() => !processes.some(isAlive), UNTIL)
})

test('when the parent is killed while servers start no server is left', async () => {
  const dataDir = await ownDataDir()
  const parent = startParent(dataDir)
  await said(parent, 'postgres starting')
  const before = await recorded(dataDir)
  parent.kill('SIGKILL')
  await vi.waitUntil(async () => (await recorded(dataDir)).length === 0 && !before.some(isAlive), UNTIL)
  expect(await lockOwner(dataFolder(dataDir))).toBeUndefined()
})

test('when the supervisor is killed its client ends the servers', async () => {
  const stack = await startOwnStack({ services: ['redis', 'postgres'] })
  const record = await readRecord(dataFolder(stack.dataDir))
  const processes = await recorded(stack.dataDir)
  process.kill(record!.supervisor.pid, 'SIGKILL')
  await vi.waitUntil(() => !processes.some(isAlive), UNTIL)
  await expect(stack.restart('redis')).rejects.toMatchObject({ code: 'stack-failed' })
  await stack.stop()
})

test('an aborted start leaves nothing and rejects with the reason', async () => {
  const dataDir = await ownDataDir()
  const controller = new AbortController()
  const reason = new Error('changed my mind')
  const onProgress = ({ state }: { state: string }) => {
    if (state === 'preparing') controller.abort(reason)
  }
  const start = startOwnStack({ dataDir, services: ['postgres'], signal: controller.signal, onProgress })
  await expect(start).rejects.toBe(reason)
  expect(await lockOwner(dataFolder(dataDir))).toBeUndefined()
})

test('a detached stack goes on until it is stopped, and a stopped one shows its logs', async () => {
  const dataDir = await ownDataDir()
  await startDetachedStack({ dataDir, env, services: ['redis'], durable: false })
  const status = await stackStatus({ dataDir, env })
  expect(status).toMatchObject({ running: true, attached: false })
  const processes = await recorded(dataDir)
  expect(await stopStack({ dataDir, env })).toEqual(['redis'])
  expect(processes.filter(isAlive)).toEqual([])
  expect(await stopStack({ dataDir, env })).toEqual([])
  const [log] = await stackLogs({ dataDir, env, service: 'redis', linesMax: 5 })
  expect(log?.lines.length).toBeLessThanOrEqual(5)
  expect(log?.lines.join('\n')).toContain('bye bye')
})

test('servers whose addresses are given are used and not started', async () => {
  const given = {
    ...env,
    TRIBUTARY_REDIS_URL: 'redis://cache.example:6379',
    TRIBUTARY_KAFKA_BROKERS: 'kafka.example:9092',
  }
  const stack = await startStack({ dataDir: await ownDataDir(), env: given, services: ['kafka', 'redis'] })
  expect(stack.started).toEqual([])
  expect(stack.addresses).toMatchObject({ kafkaBrokers: 'kafka.example:9092', redisUrl: 'redis://cache.example:6379' })
  expect(await readRecord(dataFolder(stack.dataDir))).toBeUndefined()
  await stack.stop()
})

test('without a Java the start fails as an environment that lacks something, and nothing runs', async () => {
  const dataDir = await ownDataDir()
  const start = startOwnStack({ dataDir, env: { ...env, PATH: '/nonexistent', JAVA_HOME: '' } })
  await expect(start).rejects.toMatchObject({ code: 'environment-missing', exitCode: 3 })
  expect(await lockOwner(dataFolder(dataDir))).toBeUndefined()
})

test('a server that ends while it starts is named with its log and what it said last', async () => {
  const dataDir = await ownDataDir()
  const stack = await startOwnStack({ dataDir, services: ['redis'] })
  await stack.stop()
  await writeFile(`${dataDir}/redis/appendonly.aof`, 'this is no append-only file')
  const failure = await startOwnStack({ dataDir, services: ['redis'] }).catch((error: Error) => error)
  expect(failure).toMatchObject({ code: 'stack-failed' })
  expect(String(failure)).toMatch(/Redis ended while starting.*redis\.log\n.*Bad file format/s)
})

/** A stack-starting process of Redis and PostgreSQL, as a terminal would start it. */
function startParent(dataDir: string): ChildProcess {
  const child = spawn(process.execPath, [PARENT, dataDir, 'redis,postgres'], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function said(child: ChildProcess, line: string): Promise<void> {
  for await (const found of createInterface(child.stdout!)) if (found === line) return
  throw new Error(`the process ended without saying "${line}"`)
}

async function recorded(dataDir: string): Promise<ProcessIdentity[]> {
  const record = await readRecord(dataFolder(dataDir))
  if (record === undefined) return []
  return [record.supervisor, ...Object.values(record.services).flatMap(({ process: found }) => found ?? [])]
}

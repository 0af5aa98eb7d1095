import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fetchArtifacts } from '../../../ops/stack/artifacts.ts'
import { createDataFolder, dataFolder, logFile, serverDataDir, serversDir } from '../../../ops/stack/data-folder.ts'
import { isFree } from '../../../ops/stack/ports.ts'
import { findJava } from '../../../ops/stack/programs.ts'
import { brokerProperties, LOGGING, lines } from '../../../ops/stack/servers/kafka.ts'
import { ServerProcess } from '../../../ops/stack/supervision/server-process.ts'
import { killGroup, logTail, runTool } from '../../../ops/stack/tool.ts'
import type { Certificate } from './certificates.ts'

export interface KafkaUser {
  readonly name: string
  readonly password: string
}

export interface OwnKafkaOptions {
  /** For localhost and 127.0.0.1. */
  readonly server: Certificate
  /** For another host; shown at {@link OwnKafka.otherName}. */
  readonly otherName: Certificate
  /** Who signed the certificates of clients. */
  readonly authority: string
  /** Each can log in by PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. */
  readonly users: readonly KafkaUser[]
  /** Whether a user may only do what it was given a right to; without, everyone may do everything. */
  readonly authorizes?: boolean
}

/** A broker of one test, whose ports ask for TLS, for a user, or for both. */
export interface OwnKafka {
  /** Plain text without a user. Who comes here is the super user, and may give rights to others. */
  readonly plain: string
  /** TLS and a user. */
  readonly secure: string
  /** TLS, and a certificate of the client. */
  readonly mutual: string
  /** TLS, with the certificate of another host. */
  readonly otherName: string
  /** A user, in plain text. */
  readonly user: string
  /** The end of the broker's log, for a test that failed. */
  logTail(): Promise<string>
  close(): Promise<void>
}

const START_WITHIN_MS = 90_000
const STOP_WITHIN_MS = 20_000
const FORMAT_WITHIN_MS = 60_000
/** As those of the local stack: below the ports of outgoing connections. */
const PORTS = { first: 20_000, count: 12_000 }
const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']
const LISTENERS = { SECURE: 'SASL_SSL', MUTUAL: 'SSL', OTHERNAME: 'SSL', USER: 'SASL_PLAINTEXT' } as const
type Listener = keyof typeof LISTENERS

/** Starts a broker; takes some eight seconds. */
export async function startOwnKafka(options: OwnKafkaOptions): Promise<OwnKafka> {
  const folder = dataFolder(await mkdtemp(join(tmpdir(), 'tributary-kafka-')))
  await createDataFolder(folder)
  const log = logFile(folder, 'kafka')
  const java = await findJava(process.env)
  const signal = AbortSignal.timeout(START_WITHIN_MS)
  const onProgress = () => {}
  const artifacts = await fetchArtifacts({
    serversDir: serversDir(process.env),
    env: process.env,
    logFile: log,
    signal,
    onProgress,
  })
  const dir = serverDataDir(folder, 'kafka')
  const [port, controllerPort, ...others] = await freePorts(2 + Object.keys(LISTENERS).length)
  const ports = Object.fromEntries(Object.keys(LISTENERS).map((name, at) => [name, others[at]!])) as Record<
    Listener,
    number
  >
  const files = await writeFiles(folder.root, {
    'server.pem': options.server.key + options.server.certificate,
    'other-name.pem': options.otherName.key + options.otherName.certificate,
    'authority.pem': options.authority,
    'log4j2.properties': lines(LOGGING),
  })
  const properties = {
    ...brokerProperties({ logDir: dir, nodeId: 1, port: port!, controllerPorts: [controllerPort!] }),
    ...listenerProperties(port!, controllerPort!, ports),
    ...certificateProperties(files),
    ...userProperties(options.users),
    ...(options.authorizes === true ? AUTHORIZER : {}),
  }
  const { 'server.properties': propertiesFile } = await writeFiles(folder.root, {
    'server.properties': lines(properties),
  })
  const common = [`-Dlog4j2.configurationFile=${files['log4j2.properties']}`, '-cp', join(artifacts.kafkaJars, '*')]
  const scram = options.users.flatMap(({ name, password }) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=${name},password=${password}]`,
    ]),
  )
  const id = `--cluster-id=${randomBytes(16).toString('base64url')}`
  const format = ['-XX:TieredStopAtLevel=1', ...common, 'kafka.tools.StorageTool', 'format', id, '-c', propertiesFile!]
  const formatted = await runTool(
    { file: java, args: [...format, ...scram] },
    { logFile: log, signal: AbortSignal.timeout(FORMAT_WITHIN_MS) },
  )
  if (formatted !== 0) throw new Error(`the broker was not formatted:\n${await logTail(log)}`)
  const jvm = ['-Xms128m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  const server = new ServerProcess(
    {
      name: 'kafka',
      port: port!,
      launch: { file: java, args: [...jvm, ...common, 'kafka.Kafka', propertiesFile!] },
      stopWithinMs: STOP_WITHIN_MS,
      readyWithinMs: START_WITHIN_MS,
    },
    log,
    () => {},
  )
  // A test process that ends without close() leaves no broker behind.
  const endWithUs = () => killGroup(server.identity?.pid)
  process.on('exit', endWithUs)
  await server.start(signal, async () => {})
  return {
    plain: `127.0.0.1:${port}`,
    secure: `localhost:${ports.SECURE}`,
    mutual: `localhost:${ports.MUTUAL}`,
    otherName: `localhost:${ports.OTHERNAME}`,
    user: `localhost:${ports.USER}`,
    logTail: () => logTail(log),
    async close() {
      process.off('exit', endWithUs)
      await server.kill()
      await rm(folder.root, { recursive: true, force: true })
    },
  }
}

function listenerProperties(port: number, controllerPort: number, ports: Record<Listener, number>) {
  const names = Object.keys(LISTENERS) as Listener[]
  const list = (host: string) => names.map((name) => `${name}://${host}:${ports[name]}`).join(',')
  const protocols = names.map((name) => `${name}:${LISTENERS[name]}`).join(',')
  return {
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort},${list('127.0.0.1')}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},${list('localhost')}`,
    'listener.security.protocol.map': `PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,${protocols}`,
  }
}

function certificateProperties(files: Readonly<Record<string, string>>): Record<string, string> {
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': files['server.pem']!,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': files['authority.pem']!,
    'listener.name.othername.ssl.keystore.type': 'PEM',
    'listener.name.othername.ssl.keystore.location': files['other-name.pem']!,
    'listener.name.mutual.ssl.client.auth': 'required',
  }
}

function userProperties(users: readonly KafkaUser[]): Record<string, string> {
  const known = users.map(({ name, password }) => ` user_${name}="${password}"`).join('')
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required${known};`
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  // As managed clusters have it, but sooner: who does not log in again on its connection in time is cut off. The library does so 10 s before.
  const sessions = { 'listener.name.secure.connections.max.reauth.ms': '13000' }
  const entries = ['secure', 'user'].flatMap((listener) => [
    [`listener.name.${listener}.sasl.enabled.mechanisms`, MECHANISMS.join(',')],
    [`listener.name.${listener}.plain.sasl.jaas.config`, plain],
    [`listener.name.${listener}.scram-sha-256.sasl.jaas.config`, scram],
    [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`, scram],
  ])
  return { ...sessions, ...Object.fromEntries(entries) }
}

const AUTHORIZER = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  // The broker itself, and whoever comes in plain text.
  'super.users': 'User:ANONYMOUS',
  'allow.everyone.if.no.acl.found': 'false',
}

async function writeFiles(folder: string, texts: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const paths = Object.fromEntries(Object.keys(texts).map((name) => [name, join(folder, name)]))
  for (const [name, text] of Object.entries(texts)) await writeFile(paths[name]!, text, { mode: 0o600 })
  return paths
}

async function freePorts(count: number): Promise<readonly number[]> {
  const found = new Set<number>()
  while (found.size < count) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count)
    if (await isFree(port)) found.add(port)
  }
  return [...found]
}

import { randomBytes } from 'node:crypto'
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { serverDataDir } from '../data-folder.ts'
import { writeWhole } from '../supervision/run-record.ts'
import { type PlanServer, portOf, type ServerContext, type ServerPlan } from './server-plan.ts'

const READY_WITHIN_MS = 90_000
const STOP_WITHIN_MS = 20_000
/** More copies than these protect from nothing that a test does. */
const REPLICAS_MAX = 3

/** One Kafka process in KRaft mode, broker and controller in one. */
export const planKafka: PlanServer = async (context: ServerContext): Promise<ServerPlan> => {
  const java = await context.java()
  const { kafkaJars } = await context.artifacts()
  const dir = serverDataDir(context.folder, 'kafka')
  const port = portOf(context, 'kafka')
  await mkdir(dir, { recursive: true })
  const propertiesFile = join(dir, 'server.properties')
  const loggingFile = join(dir, 'log4j2.properties')
  const logDir = join(dir, 'data')
  const controllerPort = portOf(context, 'kafkaController')
  await writeWhole(
    propertiesFile,
    lines(brokerProperties({ logDir, nodeId: 1, port, controllerPorts: [controllerPort] })),
  )
  await writeWhole(loggingFile, lines(LOGGING))
  const common = [`-Dlog4j2.configurationFile=${loggingFile}`, '-cp', join(kafkaJars, '*')]
  if (!(await isFormatted(logDir))) {
    const clusterId = randomBytes(16).toString('base64url')
    // The id may start with a dash, so it is given with `=`.
    const args = [
      '-XX:TieredStopAtLevel=1',
      ...common,
      'kafka.tools.StorageTool',
      'format',
      `--cluster-id=${clusterId}`,
    ]
    await context.prepareWith({ file: java, args: [...args, '-c', propertiesFile], env: context.env })
  }
  // Half of the processor time of a broker that lives for minutes goes into its second compiler.
  const compiler = context.durable ? [] : ['-XX:TieredStopAtLevel=1']
  return {
    name: 'kafka',
    port,
    launch: {
      file: java,
      args: ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', ...compiler, ...common, 'kafka.Kafka', propertiesFile],
      env: context.env,
    },
    stopWithinMs: STOP_WITHIN_MS,
    readyWithinMs: READY_WITHIN_MS,
  }
}

async function isFormatted(logDir: string): Promise<boolean> {
  return await stat(join(logDir, 'meta.properties')).then(
    () => true,
    () => false,
  )
}

export interface BrokerPlace {
  readonly logDir: string
  /** From 1 on. */
  readonly nodeId: number
  readonly port: number
  /** Of all nodes of the cluster, the first that of node 1. */
  readonly controllerPorts: readonly number[]
}

/** The settings of one node that is broker and controller, in a cluster of as many as there are controllers. */
export function brokerProperties({
  logDir,
  nodeId,
  port,
  controllerPorts,
}: BrokerPlace): Record<string, string | number> {
  const controllerPort = controllerPorts[nodeId - 1]
  const replicas = Math.min(controllerPorts.length, REPLICAS_MAX)
  const inSync = Math.max(1, replicas - 1)
  return {
    'process.roles': 'broker,controller',
    'node.id': nodeId,
    // Static voters: the controller's port may differ from one start to the next.
    'controller.quorum.voters': controllerPorts.map((of, index) => `${index + 1}@127.0.0.1:${of}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': logDir,
    // Topics are made by `tributary provision` alone: one made by accident has the wrong settings.
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replicas,
    // One, so that all groups have their coordinator as soon as one has it.
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'group.initial.rebalance.delay.ms': 0,
    // A killed broker is let in again only when its old session has ended: 9 s by default.
    'broker.session.timeout.ms': 4_000,
    'broker.heartbeat.interval.ms': 500,
    'log.cleaner.backoff.ms': 1_000,
    // The default, 128 MB, is a quarter of this heap.
    'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
    'num.network.threads': 2,
    'num.io.threads': 4,
  }
}

export const LOGGING: Record<string, string> = {
  status: 'error',
  'appender.console.type': 'Console',
  'appender.console.name': 'console',
  'appender.console.layout.type': 'PatternLayout',
  'appender.console.layout.pattern': '%d{ISO8601} %p %c{1} %m%n',
  'rootLogger.level': 'info',
  'rootLogger.appenderRef.console.ref': 'console',
}

/** As a Java program reads its properties. */
export function lines(properties: Record<string, string | number>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${String(value).replaceAll('\\', '\\\\')}\n`)
    .join('')
}

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findJava } from '../../../../ops/stack/programs.ts'
import { closedPort } from '../../../support/cli.ts'
import { eventually } from '../../../support/flow.ts'
import type { Artifacts, PluginName } from './artifacts.ts'
import type { Settings } from './settings.ts'
import { startWatched, type WatchedProcess } from './watched-process.ts'

/** A standalone worker of Kafka Connect with one connector, as `connect-standalone.sh` starts it. */
export interface ConnectWorker extends WatchedProcess {
  /** Waits until the connector's task runs. @throws Error when it fails */
  ready(): Promise<void>
  /** @throws Error when the process has ended or the task has failed */
  check(): Promise<void>
}

export interface WorkerOrder {
  readonly artifacts: Artifacts
  readonly brokers: string
  /** The worker's own files; its offsets stay there from one start to the next. */
  readonly folder: string
  readonly connector: Settings
  /** The worker's own settings: its converters, and what is tuned. */
  readonly worker: Settings
  /** The folders of plug-ins that it looks through, no others: that takes time at its start. */
  readonly plugins: readonly PluginName[]
}

/** Those of Kafka's own start scripts. */
const JVM_FLAGS = [
  '-Xms256M',
  '-Xmx2G',
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
  '-XX:MaxInlineLevel=15',
  '-Djava.awt.headless=true',
]

const LOGGING: Settings = {
  status: 'error',
  'appender.console.type': 'Console',
  'appender.console.name': 'console',
  'appender.console.layout.type': 'PatternLayout',
  'appender.console.layout.pattern': '%d{ISO8601} %p %c{1} %m%n',
  'rootLogger.level': 'warn',
  'rootLogger.appenderRef.console.ref': 'console',
}

const READY_MS_MAX = 300_000

export async function startWorker(order: WorkerOrder): Promise<ConnectWorker> {
  const { artifacts, brokers, folder, connector, plugins } = order
  mkdirSync(folder, { recursive: true })
  const port = await closedPort()
  const files = {
    worker: join(folder, 'worker.properties'),
    connector: join(folder, 'connector.properties'),
    logging: join(folder, 'log4j2.properties'),
  }
  const worker: Settings = {
    'bootstrap.servers': brokers,
    listeners: `http://127.0.0.1:${port}`,
    'plugin.path': plugins.map((name) => artifacts.plugins[name]).join(','),
    'offset.storage.file.filename': join(folder, 'offsets'),
    // As the properties that Kafka is shipped with.
    'offset.flush.interval.ms': 10_000,
    ...order.worker,
  }
  writeFileSync(files.worker, lines(worker))
  writeFileSync(files.connector, lines(connector))
  writeFileSync(files.logging, lines(LOGGING))
  const name = String(connector.name)
  const watched = startWatched(
    name,
    await findJava(process.env),
    [
      ...JVM_FLAGS,
      `-Dlog4j2.configurationFile=${files.logging}`,
      '-cp',
      join(artifacts.connectJars, '*'),
      'org.apache.kafka.connect.cli.ConnectStandalone',
      files.worker,
      files.connector,
    ],
    { env: process.env, cwd: folder },
  )
  const states = async (): Promise<readonly string[]> => {
    watched.alive()
    const answer = await fetch(`http://127.0.0.1:${port}/connectors/${name}/status`)
    if (!answer.ok) return []
    const status = (await answer.json()) as { tasks: readonly { state: string; trace?: string }[] }
    const failed = status.tasks.find(({ state }) => state === 'FAILED')
    if (failed !== undefined) throw new TaskFailed(`the task of ${name} has failed\n${failed.trace}\n${watched.log()}`)
    return status.tasks.map(({ state }) => state)
  }
  return {
    ...watched,
    async check() {
      await states()
    },
    async ready() {
      let failure: TaskFailed | null = null
      await eventually(
        async () => {
          try {
            return (await states()).includes('RUNNING')
          } catch (error) {
            if (!(error instanceof TaskFailed)) throw error
            failure = error
            return true
          }
        },
        () => `${name} runs\n${watched.log()}`,
        READY_MS_MAX,
      )
      if (failure !== null) throw failure
    },
  }
}

class TaskFailed extends Error {}

function lines(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${String(value).replaceAll('\\', '\\\\')}\n`)
    .join('')
}

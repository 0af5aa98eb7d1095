import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fetchArtifacts } from '../../../ops/stack/artifacts.ts'
import { serversDir } from '../../../ops/stack/data-folder.ts'
import { findJava } from '../../../ops/stack/programs.ts'
import { brokerProperties, LOGGING, lines } from '../../../ops/stack/servers/kafka.ts'
import type { ServerPlan } from '../../../ops/stack/servers/server-plan.ts'
import { ServerProcess } from '../../../ops/stack/supervision/server-process.ts'
import { runTool } from '../../../ops/stack/tool.ts'

const READY_WITHIN_MS = 120_000
const STOP_WITHIN_MS = 60_000

/** Several Kafka brokers that copy each other's topics, on this machine. */
export interface BrokerCluster {
  readonly brokers: readonly string[]
  /** Stops one in good order and starts it again. */
  restart(index: number): Promise<void>
  close(): Promise<void>
}

/** @throws TributaryError `stack-failed` when they do not come up */
export async function startBrokerCluster(nodes: number): Promise<BrokerCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-brokers-'))
  const { signal } = new AbortController()
  const java = await findJava(process.env)
  const logFile = join(folder, 'prepare.log')
  const fetching = { serversDir: serversDir(process.env), env: process.env, logFile, signal, onProgress: () => {} }
  const { kafkaJars } = await fetchArtifacts(fetching)
  const ports = await freePorts(2 * nodes)
  const controllerPorts = ports.slice(nodes)
  const clusterId = randomBytes(16).toString('base64url')
  const servers: ServerProcess[] = []
  for (let index = 0; index < nodes; index++) {
    const dir = join(folder, `node-${index + 1}`)
    await mkdir(dir)
    const [settings, logging] = [join(dir, 'server.properties'), join(dir, 'log4j2.properties')]
    const place = { logDir: join(dir, 'data'), nodeId: index + 1, port: ports[index]!, controllerPorts }
    await writeFile(settings, lines(brokerProperties(place)))
    await writeFile(logging, lines(LOGGING))
    const common = ['-XX:TieredStopAtLevel=1', `-Dlog4j2.configurationFile=${logging}`, '-cp', join(kafkaJars, '*')]
    const format = ['kafka.tools.StorageTool', 'format', `--cluster-id=${clusterId}`, '-c', settings]
    const code = await runTool({ file: java, args: [...common, ...format] }, { logFile, signal })
    if (code !== 0) throw new Error(`a broker's folder could not be prepared: ${logFile}`)
    const plan: ServerPlan = {
      name: 'kafka',
      port: ports[index]!,
      launch: {
        file: java,
        args: ['-Xms256m', '-Xmx384m', '-XX:+UseSerialGC', ...common, 'kafka.Kafka', settings],
        env: process.env,
      },
      stopWithinMs: STOP_WITHIN_MS,
      readyWithinMs: READY_WITHIN_MS,
    }
    servers.push(new ServerProcess(plan, join(dir, 'broker.log'), () => {}))
  }
  const start = (server: ServerProcess) => server.start(signal, async () => {})
  const close = async () => {
    await Promise.all(servers.map((server) => server.kill()))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    // None of them is ready before most of them are there.
    await Promise.all(servers.map(start))
  } catch (error) {
    await close()
    throw error
  }
  return {
    brokers: ports.slice(0, nodes).map((port) => `127.0.0.1:${port}`),
    async restart(index) {
      await servers[index]!.stop()
      await start(servers[index]!)
    },
    close,
  }
}

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<readonly number[]> {
  const listeners = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = listeners.map((server) => (server.address() as { port: number }).port)
  await Promise.all(listeners.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

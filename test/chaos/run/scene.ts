import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { groupsOf } from '../../../ops/process/delivery.ts'
import { addressEnvironment, withoutAddresses } from '../../../ops/stack/addresses.ts'
import { type RunningStack, startStack, stopStack } from '../../../ops/stack/stack.ts'
import { createFlow, type Flow, required } from '../../support/flow.ts'
import { ageLedger } from '../../support/old-ledger.ts'
import { type KafkaProxy, openKafkaProxy } from '../../support/proxies/kafka-proxy.ts'
import type { DestinationAbout } from '../histories/history.ts'
import { type ProgressRecorder, recordProgress } from '../histories/progress.ts'
import { type RecordingStore, startRecordingStore } from '../histories/recording-store.ts'
import { type RecordedTable, sourceHistorySql } from '../histories/source-history.ts'
import { followTopics, type TopicFollower } from '../histories/topic-follower.ts'
import { warehouseHistorySql } from '../histories/warehouse-history.ts'
import { declare, SOURCE_SQL, TABLES } from '../workload/tables.ts'
import { type MemberPlan, type Members, startMembers } from './members.ts'

/** The servers that only this run uses, which it may break. */
export type BrokenServers = Pick<RunningStack, 'kill' | 'restart' | 'dataDir' | 'addresses'>

/** A pipeline at work with everything that records it. */
export interface Scene {
  readonly flow: Flow
  readonly servers: BrokenServers
  readonly store: RecordingStore
  /** Each member's own way to Kafka. */
  readonly ways: ReadonlyMap<string, KafkaProxy>
  readonly members: Members
  readonly follower: TopicFollower
  readonly progress: ProgressRecorder
  readonly destinations: readonly DestinationAbout[]
  /** A personal value that every probe carries. */
  readonly canary: string
  readonly secrets: readonly string[]
  close(): Promise<void>
}

export const RECORDED: readonly RecordedTable[] = TABLES.map(({ entity, source, key, columns }) => ({
  entity,
  table: source,
  key,
  columns,
}))

/** What the second subscriber gets: a system behind HTTP that compares no versions. */
const STORE = 'search'
const STORE_FIELDS = {
  account: ['id', 'name', 'balance', 'open'],
  article: ['id', 'title', 'revision'],
  stock: ['place', 'item', 'quantity'],
} as const

const declareChaos = (prefix: string) => `${declare(prefix)}
  ${STORE}:
    type: http
    url: "\${SEARCH_URL}"
    allowAddresses: [127.0.0.1]
    timeout: 5s
    breaker: { probeEvery: 1s..3s }
    entities:
${Object.entries(STORE_FIELDS)
  .map(
    ([entity, names]) =>
      `      ${entity}: { target: "/${entity}/{key}", fields: { ${names.map((name) => `${name}: ${name}`).join(', ')} } }`,
  )
  .join('\n')}
`

const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  capture: ['capture', 'erp'],
  'warehouse 1': ['deliver', 'warehouse'],
  'warehouse 2': ['deliver', 'warehouse'],
  search: ['deliver', STORE],
}

/** Kafka and Redis of a run's own; PostgreSQL and the registry are those that the environment names. */
export async function startServers(): Promise<BrokenServers & { close(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tributary-chaos-'))
  const env = withoutAddresses(process.env)
  const stack = await startStack({ dataDir, durable: false, env, services: ['kafka', 'redis'] })
  return {
    addresses: stack.addresses,
    dataDir,
    kill: (service) => stack.kill(service),
    restart: (service) => stack.restart(service),
    async close() {
      await stopStack({ dataDir, env })
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

export async function startScene(servers: BrokenServers): Promise<Scene> {
  const endings: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (let end = endings.pop(); end !== undefined; end = endings.pop()) await end()
  }
  try {
    const store = await startRecordingStore(STORE, STORE_FIELDS)
    endings.push(() => store.close())
    const addresses: Record<string, string> = { ...addressEnvironment(servers.addresses), SEARCH_URL: store.url }
    const flow = await createFlow(declareChaos, SOURCE_SQL, addresses)
    endings.push(() => flow.close())
    await flow.source.unsafe(sourceHistorySql(RECORDED))
    await flow.provision()
    await flow.warehouse.unsafe(warehouseHistorySql(RECORDED))
    await ageLedger(flow)
    const brokers = addresses.TRIBUTARY_KAFKA_BROKERS!.split(',')
    const destinations: DestinationAbout[] = [
      {
        name: 'warehouse',
        comparesVersions: true,
        fields: Object.fromEntries(RECORDED.map(({ entity, columns }) => [entity, columns])),
      },
      { name: STORE, comparesVersions: false, fields: STORE_FIELDS },
    ]
    const entities = RECORDED.map(({ entity }) => entity)
    const registryUrl = required('TRIBUTARY_REGISTRY_URL')
    const subscribers = destinations.map(({ name }) => name)
    const follower = await followTopics({ brokers, registryUrl, prefix: flow.prefix, entities, subscribers })
    const ways = new Map<string, KafkaProxy>()
    const plans: Record<string, MemberPlan> = {}
    for (const [name, args] of Object.entries(MEMBERS)) {
      const way = await openKafkaProxy(brokers[0]!)
      endings.push(() => way.close())
      ways.set(name, way)
      plans[name] = { args, settings: { TRIBUTARY_KAFKA_BROKERS: way.address } }
    }
    const members = startMembers(flow, plans)
    // Else what is ended with the flow would be started again.
    endings.push(() => members.stop())
    const declaration = flow.declaration()
    const progress = await recordProgress({
      brokers,
      source: flow.source,
      topicOf: (entity) => `${flow.prefix}.${entity}`,
      entities,
      groups: [...declaration.subscribers.values()].flatMap((subscriber) =>
        groupsOf(declaration, subscriber).map(({ groupId, routes }) => ({
          destination: subscriber.name,
          groupId,
          entities: routes.map(({ mapping }) => mapping.entity.name),
        })),
      ),
      effects: async () => {
        const [row] = await flow.warehouse<{ number: string | null }[]>`
          SELECT max(number)::text AS number FROM tributary_history`
        return { warehouse: Number(row?.number ?? 0), [STORE]: store.history.length }
      },
      processes: members.running,
    })
    const canary = `Quetzal-${randomBytes(6).toString('hex')}`
    const password = new URL(required('TRIBUTARY_POSTGRES_URL')).password
    const secrets = [canary, flow.env.TRIBUTARY_FINGERPRINT_KEY!, ...(password === '' ? [] : [password])]
    return { flow, servers, store, ways, members, follower, progress, destinations, canary, secrets, close }
  } catch (error) {
    await close()
    throw error
  }
}

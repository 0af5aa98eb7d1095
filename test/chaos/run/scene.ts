import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { groupsOf } from '../../../ops/process/delivery.ts'
import { addressEnvironment, withoutAddresses } from '../../../ops/stack/addresses.ts'
import { type RunningStack, startStack, stopStack } from '../../../ops/stack/stack.ts'
import { createFlow, type Flow, required } from '../../support/flow.ts'
import { ageLedger } from '../../support/old-ledger.ts'
import { type KafkaProxy, openKafkaProxy } from '../../support/proxies/kafka-proxy.ts'
import { openRegistryWay, type RegistryWay } from '../../support/proxies/registry-way.ts'
import { type OwnPostgres, startOwnPostgres } from '../../support/servers/own-postgres.ts'
import type { DestinationAbout, OutputEntry } from '../histories/history.ts'
import { type ProgressRecorder, recordProgress } from '../histories/progress.ts'
import { type RecordingStore, startRecordingStore } from '../histories/recording-store.ts'
import { type RecordingVendor, startRecordingVendor, VENDOR_FIELDS } from '../histories/recording-vendor.ts'
import { type RecordedTable, sourceHistorySql } from '../histories/source-history.ts'
import { followTopics, type TopicFollower } from '../histories/topic-follower.ts'
import { newestEffect, warehouseHistorySql } from '../histories/warehouse-history.ts'
import { declare, SOURCE_SQL, TABLES } from '../workload/tables.ts'
import type { RunPlan } from './faults.ts'
import { type MemberPlan, type Members, startMembers } from './members.ts'

/** The servers that only this run uses, which it may break. */
export interface BrokenServers extends Pick<RunningStack, 'kill' | 'restart' | 'dataDir' | 'addresses'> {
  /** The server of the source; that of the warehouse is shared. */
  readonly source: OwnPostgres
}

/** A pipeline at work with everything that records it. */
export interface Scene {
  readonly plan: RunPlan
  /** What commands showed that were run beside the members. */
  readonly shown: OutputEntry[]
  /** To be called when the source's server is there again: what waits for an answer of before gets an error. */
  renewSource(): void
  readonly flow: Flow
  readonly servers: BrokenServers
  readonly store: RecordingStore
  readonly vendor: RecordingVendor
  readonly registry: RegistryWay
  /** Each member's own way to Kafka. */
  readonly ways: ReadonlyMap<string, KafkaProxy>
  readonly members: Members
  readonly follower: TopicFollower
  readonly progress: ProgressRecorder
  readonly destinations: readonly DestinationAbout[]
  /** Those of the search system that are not critical. */
  readonly standardEntities: readonly string[]
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
const STANDARD = ['article', 'stock']
const STORE_FIELDS = {
  account: ['id', 'name', 'balance', 'open'],
  article: ['id', 'title', 'revision'],
  stock: ['place', 'item', 'quantity'],
} as const

/** A vendor's system, of which there is another one in each run. */
const VENDOR = 'vendor'
const VENDOR_TIMES = 'timeout: 5s, lateRequest: 10s, allowAddresses: [127.0.0.1]'

/** Narrower than what is declared, so that types can be widened while the pipeline runs. */
const NARROW_SQL = `
  ALTER TABLE accounts ALTER name TYPE varchar(60), ALTER balance TYPE numeric(12,2);`

const declareChaos = (isHeld: boolean, vendor: RecordingVendor) => (prefix: string) =>
  `${declare(prefix)
    .replace('type: postgres,', `type: postgres, onLostHistory: ${isHeld ? 'hold' : 'resnapshot'},`)
    .replace('revision: int32', 'revision: int64')}
  ${VENDOR}: ${vendor.declared}
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
  vendor: ['deliver', VENDOR],
}

/** Kafka, Redis and the source's PostgreSQL of a run's own; that of the warehouse and the registry are those that the environment names. */
export async function startServers(): Promise<BrokenServers & { close(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tributary-chaos-'))
  const env = withoutAddresses(process.env)
  // Small segments: a slot is outrun by little.
  const source = await startOwnPostgres({ walSegmentMB: 1, settings: { min_wal_size: '2MB' } })
  const stack = await startStack({ dataDir, durable: false, env, services: ['kafka', 'redis'] }).catch(
    async (error) => {
      await source.close()
      throw error
    },
  )
  return {
    addresses: stack.addresses,
    dataDir,
    source,
    kill: (service) => stack.kill(service),
    restart: (service) => stack.restart(service),
    async close() {
      await source.close()
      await stopStack({ dataDir, env })
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** The flow with sessions at its source that can be replaced: the library may wait for ever for a server that went away. */
function renewable(created: Flow) {
  let source = created.source
  const flow: Flow = {
    ...created,
    get source() {
      return source
    },
  }
  return {
    flow,
    renew() {
      void source.end({ timeout: 0 }).catch(() => {})
      source = postgres(created.sourceUrl, { max: 8, onnotice: () => {} })
    },
    close: () => source.end({ timeout: 0 }),
  }
}

export async function startScene(servers: BrokenServers, plan: RunPlan): Promise<Scene> {
  const endings: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (let end = endings.pop(); end !== undefined; end = endings.pop()) await end()
  }
  try {
    const store = await startRecordingStore(STORE, STORE_FIELDS)
    endings.push(() => store.close())
    const addresses: Record<string, string> = { ...addressEnvironment(servers.addresses), SEARCH_URL: store.url }
    const vendor = await startRecordingVendor(VENDOR, plan.vendor, VENDOR_TIMES)
    endings.push(() => vendor.close())
    const registry = await openRegistryWay(required('TRIBUTARY_REGISTRY_URL'))
    endings.push(() => registry.close())
    const created = await createFlow(
      declareChaos(plan.isHeld, vendor),
      SOURCE_SQL + NARROW_SQL,
      addresses,
      servers.source.url,
    )
    endings.push(() => created.close())
    const source = renewable(created)
    endings.push(() => source.close())
    const { flow } = source
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
      // Its requests say no version; ETags compare while the ledger knows them.
      { name: VENDOR, comparesVersions: false, fields: VENDOR_FIELDS },
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
      plans[name] = { args, settings: { TRIBUTARY_KAFKA_BROKERS: way.address, TRIBUTARY_REGISTRY_URL: registry.url } }
    }
    const members = startMembers(flow, plans)
    // Else what is ended with the flow would be started again.
    endings.push(() => members.stop())
    const declaration = flow.declaration()
    const progress = await recordProgress({
      brokers,
      get source() {
        return flow.source
      },
      prefix: flow.prefix,
      entities,
      groups: [...declaration.subscribers.values()].flatMap((subscriber) =>
        groupsOf(declaration, subscriber).map(({ groupId, routes }) => ({
          destination: subscriber.name,
          groupId,
          entities: routes.map(({ mapping }) => mapping.entity.name),
        })),
      ),
      effects: async () => ({
        warehouse: await newestEffect(flow.warehouse),
        [STORE]: store.history.length,
        [VENDOR]: vendor.history.length,
      }),
      processes: members.running,
    })
    const canary = `Quetzal-${randomBytes(6).toString('hex')}`
    const passwords = [required('TRIBUTARY_POSTGRES_URL'), servers.source.url].map((url) => new URL(url).password)
    const secrets = [canary, flow.env.TRIBUTARY_FINGERPRINT_KEY!, ...passwords.filter((password) => password !== '')]
    return {
      plan,
      shown: [],
      renewSource: source.renew,
      flow,
      servers,
      store,
      vendor,
      registry,
      ways,
      members,
      follower,
      progress,
      destinations,
      standardEntities: STANDARD,
      canary,
      secrets,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

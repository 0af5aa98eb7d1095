import { type KafkaAdmin, openAdmin } from '../../../connectors/kafka/admin.ts'
import { consumerGroup } from '../../../schemas/topics.ts'
import { createFlow, eventually, type Flow, type FlowProcess, onLocalErp, required } from '../../support/flow.ts'
import { type GroupMembers, openGroupMembers } from '../../support/group-members.ts'
import type { Hold } from '../../support/hold.ts'
import { ageLedger } from '../../support/old-ledger.ts'
import { type KafkaProxy, openKafkaProxy } from '../../support/proxies/kafka-proxy.ts'
import { openPostgresProxy } from '../../support/proxies/postgres-proxy.ts'
import { openRedisProxy } from '../../support/proxies/redis-proxy.ts'
import type { TcpProxy } from '../../support/proxies/tcp-proxy.ts'
import { untilQuiet } from '../../support/quiet.ts'
import { type FaultEntry, historyOf, type OutputEntry, type RunHistory } from '../histories/history.ts'
import { type ProgressRecorder, recordProgress } from '../histories/progress.ts'
import { readSourceHistory, readSourceState, sourceHistorySql } from '../histories/source-history.ts'
import { followTopics, type TopicFollower } from '../histories/topic-follower.ts'
import {
  newestEffect,
  readWarehouseHistory,
  readWarehouseState,
  warehouseHistorySql,
} from '../histories/warehouse-history.ts'
import { buildSettings, requireBroken } from './broken-build.ts'
import { type Flaw, replacePiece } from './flaw.ts'

/** Which of the processes runs with the flaw. */
export type Part = 'capture' | 'deliver'

/** A process that delivers, on ways of its own to the ledger and the warehouse. */
export interface Member {
  readonly process: FlowProcess
  readonly ledger: TcpProxy
  readonly warehouse: TcpProxy
}

/** A process that captures, on a way of its own to Kafka. */
export interface Capture {
  readonly process: FlowProcess
  readonly kafka: KafkaProxy
}

export const SUBSCRIBER = 'warehouse'
export const ENTITY = 'item'
/** A value that no process may write beside its record. */
export const PERSONAL = 'Quetzal-of-the-stage'
/** Short enough that a test which waits in vain says so before it is out of time itself. */
const WITHIN_MS = 150_000

const declareItem = (prefix: string) => `
${onLocalErp(prefix)}
entities:
  item:
    source: erp
    table: items
    key: id
    owner: test
    freshness: 15m
    partitions: 2
    fields: { id: string, name: string, detail: string }
subscribers:
  warehouse: { type: warehouse, url: "\${WAREHOUSE_URL}", entities: { item: { table: items } } }
`

const TABLES = [{ entity: ENTITY, table: 'items', key: ['id'], columns: ['id', 'name', 'detail'] }]

/** What every scenario begins with. */
const ITEMS_SQL = `
  CREATE TABLE items (id text PRIMARY KEY, name text, detail text);
  ALTER TABLE items REPLICA IDENTITY FULL;
  INSERT INTO items VALUES ('a', 'first', 'd'), ('b', 'first', 'd'), ('d', 'first', 'd');
  ${sourceHistorySql(TABLES)}`

/** A pipeline of one table on which one scenario is played, by the build as it is or by a broken one. */
export class Stage {
  readonly flow: Flow
  readonly #flaw: Flaw | null
  readonly #part: Part
  readonly #groups: GroupMembers
  readonly #started: (() => Promise<void>)[] = []
  readonly #broken: FlowProcess[] = []
  readonly #processes: FlowProcess[] = []
  readonly #faults: FaultEntry[] = []
  readonly #startedMs = Date.now()
  #topics: TopicFollower | null = null
  #progress: ProgressRecorder | null = null
  #admin: Promise<KafkaAdmin> | null = null
  #samples = 0

  private constructor(flow: Flow, flaw: Flaw | null, part: Part, groups: GroupMembers) {
    this.flow = flow
    this.#flaw = flaw
    this.#part = part
    this.#groups = groups
  }

  /**
   * @param flaw null for the build as it is
   * @param settings environment variables of all processes, such as the address of a server of its own
   */
  static async open(flaw: Flaw | null, part: Part, settings: Readonly<Record<string, string>> = {}): Promise<Stage> {
    const flow = await createFlow(declareItem, ITEMS_SQL, settings)
    const stage = new Stage(flow, flaw, part, await openGroupMembers())
    try {
      await flow.provision()
      await ageLedger(flow)
      await stage.#record()
    } catch (error) {
      await stage.close()
      throw error
    }
    return stage
  }

  get topic(): string {
    return `${this.flow.prefix}.${ENTITY}`
  }

  async capture(): Promise<Capture> {
    const kafka = await openKafkaProxy(required('TRIBUTARY_KAFKA_BROKERS').split(',')[0]!)
    this.#started.push(() => kafka.close())
    return { process: this.#start('capture', { TRIBUTARY_KAFKA_BROKERS: kafka.address }, 'capture', 'erp'), kafka }
  }

  async deliver(): Promise<Member> {
    const scripts = (name: string, text: string) => this.#scriptOf(name, text)
    const ledger = await openRedisProxy(this.flow.env.TRIBUTARY_REDIS_URL!, scripts)
    const warehouse = await openPostgresProxy(this.flow.warehouseUrl)
    this.#started.push(ledger.close, warehouse.close)
    const settings = { TRIBUTARY_REDIS_URL: ledger.url, WAREHOUSE_URL: warehouse.url }
    return { process: this.#start('deliver', settings, 'deliver', SUBSCRIBER), ledger, warehouse }
  }

  /** Starts both, and waits until what was there from the beginning is delivered. */
  async begin(): Promise<{ readonly capture: Capture; readonly member: Member }> {
    const [capture, member] = await Promise.all([this.capture(), this.deliver()])
    await this.untilQuiet()
    return { capture, member }
  }

  async untilQuiet(): Promise<void> {
    await untilQuiet(this.flow, WITHIN_MS).catch((error) => {
      throw new Error(this.log(), { cause: error })
    })
  }

  /** Changes fields of an object, or makes it; one transaction. */
  async set(key: string, fields: Readonly<Record<'name' | 'detail', string>> | { name: string } | { detail: string }) {
    const { source } = this.flow
    const changed = await source`UPDATE items SET ${source(fields)} WHERE id = ${key}`
    if (changed.count === 0) await source`INSERT INTO items ${source({ id: key, ...fields })}`
  }

  /** Makes changes, and waits until so many more records are on the topic. */
  async published(records: number, change: () => Promise<unknown>): Promise<void> {
    const before = await this.records()
    await change()
    await this.until(async () => (await this.records()) >= before + records, `${records} records are published`)
  }

  /** How many records the topic has had. */
  async records(): Promise<number> {
    return (await this.#offsets()).reduce((sum, { high }) => sum + Number(high), 0)
  }

  /** Waits until the group has committed the end of a partition. */
  async untilCommitted(partition: number): Promise<void> {
    await this.until(async () => {
      const { committed, high } = (await this.#offsets()).find((one) => one.partition === partition)!
      return committed === high
    }, `partition ${partition} is committed`)
  }

  async untilHeld(key: string, name: string): Promise<void> {
    await this.until(async () => {
      const rows = await this.flow.warehouse`SELECT FROM items WHERE id = ${key} AND name = ${name}`
      return rows.length === 1
    }, `the warehouse has ${name} as the name of ${key}`)
  }

  /**
   * Makes a change, and keeps back the request by which a member delivers it: the ledger has let it through, and the warehouse does not
   * know of it. What is kept is the beginning of the transaction: the server ends one in which nothing happens.
   */
  async caughtRequest({ ledger, warehouse }: Member, change: () => Promise<unknown>): Promise<Hold> {
    const gate = ledger.catch('answer', 'gate')
    await change()
    await this.arrived(gate)
    const request = warehouse.catch('request', 'request')
    gate.release()
    await this.arrived(request)
    return request
  }

  /** Waits until it was written down how far everything is, and has been since this call. */
  async untilSampled(): Promise<void> {
    // One that is being taken may have begun before.
    const target = this.#samples + 2
    await this.until(() => this.#samples >= target, 'a sample is taken')
  }

  /** Does something to the run that its history has to tell. */
  async fault(kind: string, target: string, inflict: () => Promise<void>): Promise<void> {
    const fromMs = Date.now()
    await inflict()
    this.#faults.push({ kind, target, fromMs, toMs: Date.now() })
  }

  /** What is left behind, once all is quiet. */
  async history(): Promise<RunHistory> {
    // A broken build may leave nothing to do for who delivers now: it has to be there all the same.
    await this.until(async () => (await this.#groups.of(this.#groupId)).length > 0, 'someone delivers')
    await this.untilQuiet()
    const quietMs = Date.now()
    const { topic, letters, headers } = await this.#topics!.finish()
    const { progress } = await this.#progress!.stop()
    this.#progress = null
    const { source, warehouse } = this.flow
    const destinations = [{ name: SUBSCRIBER, comparesVersions: true, fields: { [ENTITY]: TABLES[0]!.columns } }]
    return historyOf(
      { startedMs: this.#startedMs, quietMs, destinations, secrets: [PERSONAL] },
      {
        source: await readSourceHistory(source),
        topic,
        effects: await readWarehouseHistory(warehouse, SUBSCRIBER),
        letters,
        progress,
        output: [...this.#output(quietMs), ...headers],
        faults: this.#faults,
        states: [
          ...(await readSourceState(source, TABLES)),
          ...(await readWarehouseState(warehouse, SUBSCRIBER, TABLES)),
        ],
      },
    )
  }

  async arrived(hold: { readonly arrived: Promise<void> }): Promise<void> {
    let isThere = false
    void hold.arrived.then(() => {
      isThere = true
    })
    await this.until(() => isThere, 'what is to be kept back is there')
  }

  /** Kills a member, and takes it out of its group, which would wait for it. */
  async kill({ process }: Member): Promise<void> {
    process.kill('SIGKILL')
    await process.exited
    for (const member of await this.#groups.of(this.#groupId)) await this.#groups.remove(this.#groupId, member)
  }

  /** Asks a member to end, which leaves nothing behind. */
  async stop({ process }: { readonly process: FlowProcess }): Promise<void> {
    process.kill('SIGTERM')
    if ((await process.exited) !== 0) throw new Error(this.log())
  }

  async until(condition: () => Promise<boolean> | boolean, what: string): Promise<void> {
    await eventually(condition, () => `${what}\n${this.log()}`, WITHIN_MS)
  }

  /** @throws Error when the flaw was not in every process that it belongs in */
  requireBroken(): void {
    for (const process of this.#broken) if (this.#flaw !== null) requireBroken(this.#flaw, process)
  }

  log(): string {
    return this.#processes.map((process) => `--- ${nameOf(process)}\n${process.log()}`).join('\n')
  }

  get #groupId(): string {
    return consumerGroup(this.flow.prefix, SUBSCRIBER, 'standard')
  }

  #output(atMs: number): OutputEntry[] {
    return this.#processes.flatMap((process) =>
      process
        .log()
        .split('\n')
        .map((text) => ({ atMs, process: nameOf(process), text })),
    )
  }

  async close(): Promise<void> {
    await this.#progress?.stop()
    await (await this.#admin)?.close()
    await this.flow.close()
    await this.#groups.close()
    for (const close of this.#started) await close()
  }

  async #record(): Promise<void> {
    const { flow } = this
    await flow.warehouse.unsafe(warehouseHistorySql(TABLES))
    const brokers = required('TRIBUTARY_KAFKA_BROKERS').split(',')
    this.#topics = await followTopics({
      brokers,
      registryUrl: required('TRIBUTARY_REGISTRY_URL'),
      prefix: flow.prefix,
      entities: [ENTITY],
      subscribers: [SUBSCRIBER],
    })
    this.#progress = await recordProgress({
      brokers,
      source: flow.source,
      prefix: flow.prefix,
      entities: [ENTITY],
      groups: [{ destination: SUBSCRIBER, groupId: this.#groupId, entities: [ENTITY] }],
      effects: async () => {
        const newest = await newestEffect(flow.warehouse)
        this.#samples++
        return { [SUBSCRIBER]: newest }
      },
      processes: () => [],
    })
  }

  #start(part: Part, settings: Readonly<Record<string, string>>, ...args: string[]): FlowProcess {
    const isBroken = part === this.#part && this.#flaw !== null
    const started = this.flow.startWith({ ...settings, ...buildSettings(isBroken ? this.#flaw : null) }, ...args)
    this.#processes.push(started)
    if (isBroken) this.#broken.push(started)
    return started
  }

  /** The text of a script as a broken build sends it: by it a proxy knows what is asked. */
  #scriptOf(name: string, text: string): string {
    const own = (this.#flaw?.pieces ?? []).filter(({ file }) => file === `consumers/ledger/${name}.lua`)
    return own.reduce(replacePiece, text)
  }

  #openAdmin(): Promise<KafkaAdmin> {
    const { declaration, kafka } = this.flow.environment()
    return openAdmin(kafka, declaration.kafka.brokers)
  }

  async #offsets() {
    this.#admin ??= this.#openAdmin()
    return await (await this.#admin).groupLag(this.#groupId, [this.topic])
  }
}

function nameOf({ child }: FlowProcess): string {
  return `${child.spawnargs.slice(2, 4).join(' ')} (${child.pid})`
}

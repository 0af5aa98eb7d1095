import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { type KafkaAdmin, openAdmin } from '../../../connectors/kafka/admin.ts'
import { connectKafka, type Kafka } from '../../../connectors/kafka/client.ts'
import { entityTopic } from '../../../schemas/topics.ts'
import { required } from '../../support/flow.ts'
import { type BenchPipeline, createBenchPipeline, SOURCE } from '../support/bench-pipeline.ts'
import type { Surroundings } from '../support/surroundings.ts'
import { ENTITY } from '../support/workload.ts'
import { countWrong, readAvroEnvelope, readDelta, readJsonEnvelope, sourceRows } from './rows.ts'
import { type Place, readTopicRun, type TopicRun } from './topic-run.ts'
import type { Artifacts } from './worker/artifacts.ts'
import { type ConnectWorker, startWorker } from './worker/connect-worker.ts'
import {
  DECLARED_PLUGINS,
  type DebeziumName,
  pluginsOf,
  sinkSettings,
  sourceSettings,
  VARIANTS,
  workerSettings,
} from './worker/settings.ts'
import { startTributary } from './worker/tributary-process.ts'
import { killWatched, type WatchedProcess } from './worker/watched-process.ts'

/** Whoever captures: starts as a process of its own from the slot where it stands, and writes to a topic. */
export interface Capturer {
  readonly name: 'tributary' | DebeziumName
  readonly topic: string
  readonly slot: string
  start(): Promise<WatchedProcess & { ready(): Promise<void>; check?(): Promise<void> }>
}

/** One database, broker and table for all that are compared. */
export interface Stage {
  readonly pipeline: BenchPipeline
  readonly tributary: Capturer
  debezium(name: DebeziumName): Capturer
  prepareTopic(capturer: Capturer): Promise<void>
  startSink(name: DebeziumName, url: string): Promise<ConnectWorker>
  sinkGroup(name: DebeziumName): string
  /** A database of its own with the source's table, empty. */
  createWarehouse(name: DebeziumName): Promise<{ readonly url: string; readonly sql: postgres.Sql }>
  place(topic: string): Promise<Place>
  /** Waits until so many records were appended since a place, and no more have come for `quietMs`. */
  untilAppended(
    capturer: Capturer,
    process: WatchedProcess,
    from: Place,
    records: number,
    quietMs?: number,
  ): Promise<Place>
  read(capturer: Capturer, from: Place, to: Place): Promise<TopicRun>
  groupLag: KafkaAdmin['groupLag']
  groupMembers: KafkaAdmin['groupMembers']
  /** @throws Void when the last record of a key differs from the source's row, or one of the keys has none */
  compareRows(run: TopicRun, keys: Iterable<string>): Promise<void>
  /** Removes everything that was made. */
  close(): Promise<void>
}

/** A run whose rows are not the source's: its figures count for nothing. */
export class Void extends Error {}

const PARTITIONS = 6
const QUIET_MS = 1_500
const STALLED_MS = 180_000
const POLL_MS = 200

/**
 * @param startMatters whether the start of a worker is measured; otherwise all are started the quick way
 */
export async function createStage(around: Surroundings, artifacts: Artifacts, startMatters: boolean): Promise<Stage> {
  const workerOf = (name: DebeziumName) => ({
    ...(startMatters ? {} : DECLARED_PLUGINS),
    ...workerSettings(name, required('TRIBUTARY_REGISTRY_URL')),
  })
  const pipeline = await createBenchPipeline()
  const { flow } = pipeline
  const brokers = required('TRIBUTARY_KAFKA_BROKERS')
  const registryUrl = required('TRIBUTARY_REGISTRY_URL')
  const kafka: Kafka = connectKafka({ brokers: brokers.split(','), clientId: 'tributary-bench', log: () => {} })
  const admin = await openAdmin(kafka, brokers.split(','))
  const folder = mkdtempSync(join(tmpdir(), 'tributary-compare-'))
  const server = postgres(required('TRIBUTARY_POSTGRES_URL'), { max: 1, onnotice: () => {} })
  const warehouses: { database: string; sql: postgres.Sql }[] = []
  let closed = false
  const close = async () => {
    if (closed) return
    closed = true
    await killWatched()
    for (const { database, sql } of warehouses) {
      await sql.end()
      await server.unsafe(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`)
    }
    await server.end()
    await admin.close()
    await pipeline.close()
    rmSync(folder, { recursive: true, force: true })
  }
  around.atEnd(close)
  const publication = `${flow.prefix}_compared`
  await flow.source.unsafe(`CREATE PUBLICATION ${publication} FOR TABLE customers`)
  const { registry } = flow.environment()

  const place = async (topic: string): Promise<Place> =>
    new Map((await admin.topicOffsets(topic)).map(({ partition, high }) => [partition, high]))
  const topicPrefix = (name: DebeziumName) => `${flow.prefix}.${name.replaceAll('-', '_')}`
  const topicOf = (name: DebeziumName) => `${topicPrefix(name)}.public.customers`
  const readers = {
    'json-schemas': readJsonEnvelope,
    json: readJsonEnvelope,
    avro: readAvroEnvelope(registryUrl),
  }
  const tributaryTopic = entityTopic(flow.prefix, ENTITY)

  return {
    pipeline,
    tributary: {
      name: 'tributary',
      topic: tributaryTopic,
      slot: pipeline.slot,
      start: () => startTributary(flow, 'capture', SOURCE),
    },
    debezium(name) {
      const own = join(folder, name)
      const connector = `${flow.prefix}-${name}`
      const slot = `${flow.prefix}_${name.replaceAll('-', '_')}`
      const order = { name, connector, url: flow.sourceUrl, topicPrefix: topicPrefix(name), slot, publication }
      const worker = workerOf(name)
      return {
        name,
        topic: topicOf(name),
        slot,
        start: () =>
          startWorker({
            artifacts,
            brokers,
            folder: own,
            connector: sourceSettings(order),
            worker,
            plugins: pluginsOf(name, 'source'),
          }),
      }
    },
    async prepareTopic({ name, topic }) {
      const configs = { 'message.timestamp.type': 'LogAppendTime' }
      if (name === 'tributary') await admin.alterTopic(topic, configs)
      else await admin.createTopics([{ topic, partitions: PARTITIONS, replication: 1, configs }])
    },
    startSink(name, url) {
      const connector = `${flow.prefix}-${name}-sink`
      return startWorker({
        artifacts,
        brokers,
        folder: join(folder, `${name}-sink`),
        connector: sinkSettings({ name, connector, url, topic: topicOf(name) }),
        worker: workerOf(name),
        plugins: pluginsOf(name, 'sink'),
      })
    },
    sinkGroup: (name) => `connect-${flow.prefix}-${name}-sink`,
    async createWarehouse(name) {
      const database = `${flow.prefix}_sink_${name.replaceAll('-', '_')}`
      await server.unsafe(`CREATE DATABASE ${database}`)
      const url = new URL(flow.sourceUrl)
      url.pathname = `/${database}`
      const sql = postgres(url.toString(), { max: 2, onnotice: () => {} })
      warehouses.push({ database, sql })
      await sql.unsafe(WAREHOUSE_SQL)
      return { url: url.toString(), sql }
    },
    place,
    async untilAppended({ topic, name }, process, from, records, quietMs = QUIET_MS) {
      const appended = (now: Place) =>
        [...now].reduce((sum, [partition, end]) => sum + Number(end - (from.get(partition) ?? 0n)), 0)
      let before = -1
      let changedAt = performance.now()
      for (;;) {
        process.alive()
        const now = await place(topic)
        const count = appended(now)
        around.progress.update(Math.min(count, records), records)
        if (count !== before) changedAt = performance.now()
        before = count
        const unchangedMs = performance.now() - changedAt
        if (count >= records && unchangedMs >= quietMs) return now
        if (unchangedMs > STALLED_MS)
          throw new Error(`${name} published ${count} of ${records} records and stands still\n${process.log()}`)
        await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      }
    },
    read({ name, topic }, from, to) {
      const readRow = name === 'tributary' ? readDelta(registry, topic) : readers[VARIANTS[name].converter]
      return readTopicRun({ kafka, brokers: brokers.split(','), topic, readRow }, from, to)
    },
    groupLag: admin.groupLag,
    groupMembers: admin.groupMembers,
    async compareRows({ rows }, keys) {
      const wrong = countWrong(await sourceRows(flow.source), rows, keys)
      if (wrong > 0) throw new Void(`${wrong} of ${rows.length} rows differ on the topic or are not there`)
    },
    close,
  }
}

/** The source's table; nothing of it is to be captured again. */
const WAREHOUSE_SQL = `CREATE TABLE customers (
  customer_id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL, street text NOT NULL, city text NOT NULL,
  notes text NOT NULL, balance numeric(14,2) NOT NULL, credit_limit numeric(14,2) NOT NULL, discount numeric NOT NULL,
  orders integer NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL)`

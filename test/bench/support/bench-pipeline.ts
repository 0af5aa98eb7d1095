import { Redis } from 'ioredis'
import { connectKafka } from '../../../connectors/kafka/client.ts'
import { createFlow, eventually, type Flow, onLocalStack, required } from '../../support/flow.ts'
import { columnsOf, ENTITY, ROW_SHAPE, type RowShape, sourceSql } from './workload.ts'

export const SOURCE = 'erp'
export const SUBSCRIBER = 'warehouse'

/** What one pipeline for a benchmark is made of. */
export interface PipelineShape {
  readonly shape: RowShape
  readonly partitions: number
  readonly subscribers: number
  /** How long one statement at a warehouse may take; the ledger is certain after twice that. */
  readonly timeout: string
}

const PIPELINE_SHAPE: PipelineShape = { shape: ROW_SHAPE, partitions: 6, subscribers: 1, timeout: '30s' }

/** A pipeline of its own for one benchmark: databases, topics, slot and ledger keys under one prefix. */
export interface BenchPipeline {
  readonly flow: Flow
  readonly slot: string
  readonly publication: string
  readonly shape: RowShape
  /** All that it has; {@link SUBSCRIBER} is the first. */
  readonly subscribers: readonly BenchSubscriber[]
  /** Copies where a slot stands to another name, so that the same log can be read again. */
  copySlot(from: string, to: string): Promise<void>
  dropSlot(slot: string): Promise<void>
  /** Waits until something is so, within a deadline. */
  until(condition: () => Promise<boolean>, what: string): Promise<void>
  /** Removes everything that was made. */
  close(): Promise<void>
}

export interface BenchSubscriber {
  readonly name: string
  /** Of the warehouse's database. */
  readonly table: string
}

/** Each has a schema of its own in the one database. */
function subscribersOf(count: number): readonly (BenchSubscriber & { readonly schema: string })[] {
  return Array.from({ length: count }, (_, index) => {
    const name = index === 0 ? SUBSCRIBER : `${SUBSCRIBER}-${index + 1}`
    const schema = index === 0 ? 'public' : `${SUBSCRIBER}_${index + 1}`
    return { name, schema, table: `${schema}.customers` }
  })
}

const declare =
  ({ shape, partitions, subscribers, timeout }: PipelineShape) =>
  (prefix: string) =>
    `
${onLocalStack(prefix)}
sources:
  ${SOURCE}: { type: postgres, url: "\${ERP_URL}" }
entities:
  ${ENTITY}:
    source: ${SOURCE}
    table: customers
    key: customer_id
    owner: bench
    freshness: 1m
    partitions: ${partitions}
    fields:
${Object.entries(columnsOf(shape))
  .map(([name, type]) => `      ${name}: ${type}\n`)
  .join('')}
subscribers:
${subscribersOf(subscribers)
  .map(
    ({ name, schema }) => `
  ${name}:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    schema: ${schema}
    timeout: ${timeout}
    entities: { ${ENTITY}: { table: customers } }
`,
  )
  .join('')}`

export async function createBenchPipeline(wanted: Partial<PipelineShape> = {}): Promise<BenchPipeline> {
  const pipelineShape = { ...PIPELINE_SHAPE, ...wanted }
  const { shape } = pipelineShape
  const flow = await createFlow(declare(pipelineShape), sourceSql(shape))
  await flow.provision()
  const { slot, publication } = flow.declaration().sources.get(SOURCE)!
  const dropSlot = async (name: string) => {
    // The server process of a reader that has just ended needs a moment to notice.
    await eventually(async () => {
      await flow.source`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ${name}`
      return true
    }, `slot ${name} is dropped`)
  }
  return {
    flow,
    slot,
    publication,
    shape,
    subscribers: subscribersOf(pipelineShape.subscribers),
    dropSlot,
    until: eventually,
    async copySlot(from, to) {
      await eventually(async () => {
        await flow.source`SELECT FROM pg_copy_logical_replication_slot(${from}, ${to})`
        return true
      }, `slot ${from} is copied`)
    },
    async close() {
      await closeFlow(flow)
    },
  }
}

/** Removes everything of a pipeline: groups and ledger keys, too. */
export async function closeFlow(flow: Flow): Promise<void> {
  await flow.close()
  await deleteGroups(flow.prefix)
  await deleteLedger(flow.prefix)
}

async function deleteGroups(prefix: string): Promise<void> {
  const brokers = required('TRIBUTARY_KAFKA_BROKERS').split(',')
  const admin = connectKafka({ brokers, clientId: 'tributary-bench', log: () => {} }).admin()
  await admin.connect()
  try {
    // A member that was killed stays in its group until its session ends.
    await eventually(async () => {
      const { groups } = await admin.listGroups()
      const ours = groups.flatMap(({ groupId }) => (groupId.startsWith(`${prefix}.`) ? [groupId] : []))
      if (ours.length > 0) await admin.deleteGroups(ours)
      return true
    }, 'the groups are deleted')
  } finally {
    await admin.disconnect()
  }
}

const SCAN_COUNT = 1_000

/** Removes the ledger of a pipeline. */
export async function deleteLedger(prefix: string): Promise<void> {
  const redis = new Redis(required('TRIBUTARY_REDIS_URL'))
  try {
    for await (const keys of redis.scanStream({ match: `tributary:${prefix}:*`, count: SCAN_COUNT }))
      if ((keys as string[]).length > 0) await redis.unlink(...(keys as string[]))
  } finally {
    redis.disconnect()
  }
}

import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { verifyTopic } from '../../ops/verify/verify-topic.ts'
import { loadStored } from '../../producers/positions.ts'
import { createFlow, eventually, type Flow, type FlowProcess, onLocalErp, required } from '../support/flow.ts'
import { openKafkaProxy } from '../support/proxies/kafka-proxy.ts'
import { untilCaptured, untilSnapshotted } from '../support/quiet.ts'
import { storiesOf, topicDifferences } from '../support/topics/topic-state.ts'

const declare = (prefix: string) => `
${onLocalErp(prefix)}
entities:
  item:
    source: erp
    table: items
    key: id
    owner: test
    freshness: 15m
    partitions: 3
    fields: { id: int64, revision: int64 }
`

const ITEMS = 50
const TABLE = { source: 'items', key: ['id'], entity: 'item' }
/** What a capture may take to notice that another has its place, beside the takeover itself. */
const NOTICED_WITHIN_MS = 60_000
/** The server gives up a silent reader after 20 s (connectors/postgres/stream/reader.ts). */
const TAKEOVER_WITHIN_MS = 30_000

let flow: Flow

beforeEach(async () => {
  flow = await createFlow(
    declare,
    `CREATE TABLE items (id bigint PRIMARY KEY, revision bigint);
     ALTER TABLE items REPLICA IDENTITY FULL;
     INSERT INTO items SELECT i, 0 FROM generate_series(1, ${ITEMS}) i;`,
  )
  onTestFinished(() => flow.close(), 120_000)
  await flow.provision()
})

async function untilThere(): Promise<void> {
  await untilCaptured(flow)
  await untilSnapshotted(flow)
}

/** G1: every key ends with its newest version, which is the table's row. */
async function expectOrdered(...processes: FlowProcess[]): Promise<void> {
  const { kafka, declaration } = flow.environment()
  const story = () => processes.map((one) => one.log()).join('\n---\n')
  const { stale } = await verifyTopic(kafka, declaration.kafka.brokers, `${flow.prefix}.item`)
  const keys = stale.named.map(({ key }) => key)
  expect(await storiesOf(flow, 'item', keys), story()).toEqual([])
  expect(await topicDifferences(flow, TABLE), story()).toEqual([])
}

async function holder(): Promise<number | null> {
  const [slot] = await flow.source<{ pid: number | null }[]>`
    SELECT active_pid AS pid FROM pg_replication_slots WHERE database = current_database() AND NOT temporary`
  return slot?.pid ?? null
}

async function storedPosition(): Promise<bigint> {
  const { kafka, declaration } = flow.environment()
  const stored = await loadStored(kafka, declaration.kafka.brokers, flow.prefix, 'erp')
  return stored.position!.position
}

/** The active capture, and one that waits for the slot. */
async function startPair(): Promise<{ active: FlowProcess; standby: FlowProcess }> {
  const active = flow.start('capture', 'erp')
  await untilThere()
  const standby = flow.start('capture', 'erp')
  await eventually(() => standby.log().includes('slot-in-use'), 'the standby waits', NOTICED_WITHIN_MS)
  return { active, standby }
}

async function change(times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    await flow.source`UPDATE items SET revision = revision + 1`
    await flow.source`DELETE FROM items WHERE id = ${1 + (time % ITEMS)}`
    await flow.source`INSERT INTO items VALUES (${1 + ((time + 7) % ITEMS)}, ${time}) ON CONFLICT DO NOTHING`
  }
}

test('a standby takes over from a capture that is killed, and nothing is lost', { timeout: 200_000 }, async () => {
  const { active, standby } = await startPair()
  const changes = change(40)
  await change(3)
  active.kill('SIGKILL')
  await changes
  await untilThere()
  await expectOrdered(active, standby)
  standby.kill('SIGTERM')
  expect(await standby.exited, standby.log()).toBe(0)
})

test('a standby takes over from a capture that is frozen, which puts neither an old version nor an old position last', {
  timeout: 300_000,
}, async () => {
  const { active, standby } = await startPair()
  const changes = change(30)
  await change(3)
  active.kill('SIGSTOP')
  const frozenHolder = await holder()
  await changes
  await eventually(
    async () => ![null, frozenHolder].includes(await holder()),
    'the standby has the slot',
    TAKEOVER_WITHIN_MS,
  )
  await change(10)
  await untilThere()
  const position = await storedPosition()
  active.kill('SIGCONT')
  await eventually(() => active.log().includes('trying again'), 'the one that woke up has noticed', NOTICED_WITHIN_MS)
  expect(await storedPosition()).toBeGreaterThanOrEqual(position)
  await change(3)
  await untilThere()
  await expectOrdered(active, standby)
  for (const one of [active, standby]) one.kill('SIGTERM')
  expect(await Promise.all([active.exited, standby.exited])).toEqual([0, 0])
})

test('a capture that lost the slot before its producer was there replaces its successor and sends nothing', {
  timeout: 200_000,
}, async () => {
  const proxy = await openKafkaProxy(required('TRIBUTARY_KAFKA_BROKERS').split(',')[0]!)
  onTestFinished(() => proxy.close())
  const first = flow.start('capture', 'erp')
  await untilThere()
  first.kill('SIGTERM')
  await first.exited
  await flow.source`UPDATE items SET revision = 1`
  const request = proxy.holdProducerId()
  const late = flow.startWith({ TRIBUTARY_KAFKA_BROKERS: proxy.address }, 'capture', 'erp')
  await request.arrived
  await flow.source`SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots
    WHERE database = current_database() AND active`
  const successor = flow.start('capture', 'erp')
  await flow.source`UPDATE items SET revision = 2`
  await untilThere()
  request.release()
  await eventually(() => late.log().includes('trying again'), 'the late one has noticed', NOTICED_WITHIN_MS)
  await expectOrdered(late, successor)
  await flow.source`INSERT INTO items VALUES (1000, 1)`
  await untilThere()
  await expectOrdered(late, successor)
  // As an old position behind a newer one would make of it.
  expect(late.log() + successor.log()).not.toContain('history-lost')
  for (const one of [late, successor]) one.kill('SIGTERM')
  expect(await Promise.all([late.exited, successor.exited])).toEqual([0, 0])
})

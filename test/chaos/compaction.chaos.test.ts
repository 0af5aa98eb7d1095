import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openAdmin } from '../../connectors/kafka/admin.ts'
import { createFlow, eventually, type Flow, onLocalErp } from '../support/flow.ts'
import { ageLedger } from '../support/old-ledger.ts'
import { untilCaptured, untilQuiet } from '../support/quiet.ts'
import { type ComparedTable, differences } from '../support/rows.ts'
import { alterTopics, EAGER_COMPACTION, SEGMENT_MS } from '../support/topics/compaction.ts'
import { readHistory } from '../support/topics/topic-history.ts'

const KEYS = 24
/** Enough that each partition has one. */
const ROLL_KEYS = 8
const BURSTS = 6
const ROUNDS_PER_BURST = 130
const CHANGES_MIN = 10_000
/** Deletes stay until everyone has seen them, and those made after {@link FORGETFUL} go at once. */
const DELETE_RETENTION_MS = 600_000
const FORGETFUL = { 'delete.retention.ms': '0' }
/** Nothing is compacted. */
const LAZY = { 'min.compaction.lag.ms': '3600000', 'max.compaction.lag.ms': '3600000' }

let flow: Flow

const subscriber = (name: string, schema: string) => `
  ${name}:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    schema: ${schema}
    entities: { counter: { table: counters } }
`

const declare = (prefix: string) => `
${onLocalErp(prefix)}
entities:
  counter:
    source: erp
    table: counters
    key: id
    owner: test
    freshness: 15m
    partitions: 2
    fields: { id: int64, email: string, phone: string, steps: int64 }
subscribers:${subscriber('warehouse', 'public')}`

const table = (schema: string): ComparedTable => ({
  source: 'counters',
  warehouse: `${schema}.counters`,
  key: ['id'],
  columns: ['id', 'email', 'phone', 'steps'],
})

beforeAll(async () => {
  flow = await createFlow(
    declare,
    `CREATE TABLE counters (id bigint PRIMARY KEY, email text, phone text, steps bigint);
     ALTER TABLE counters REPLICA IDENTITY FULL;
     INSERT INTO counters SELECT i, 'e0', 'p0', 0 FROM generate_series(1, ${KEYS}) i;`,
  )
  await flow.provision()
  await ageLedger(flow)
  await compactWith({ ...EAGER_COMPACTION, 'delete.retention.ms': String(DELETE_RETENTION_MS) })
})

afterAll(() => flow?.close())

/** The topic of the entity alone: a later provision would set others back. */
async function compactWith(configs: Readonly<Record<string, string>>): Promise<void> {
  await alterTopics(flow.environment(), [`${flow.prefix}.counter`], configs)
}

/** One field a change, so that a topic of bare differences would lose the others; keys come, go and come again. */
async function burst(number: number): Promise<void> {
  for (let round = 0; round < ROUNDS_PER_BURST; round++) {
    const value = `${number}.${round}`
    await flow.source.unsafe(
      round % 2 === 0
        ? `UPDATE counters SET email = 'e${value}', steps = steps + 1 WHERE id % 2 = 0 OR id <= 4`
        : `UPDATE counters SET phone = 'p${value}', steps = steps + 1 WHERE id > 4`,
    )
  }
  await flow.source.unsafe(`DELETE FROM counters WHERE id % 6 = ${number % 6}`)
  await flow.source.unsafe(`INSERT INTO counters VALUES (${100 + number}, 'e', NULL, 0), (${6 + (number % 6)}, 'again', 'p', 0)
    ON CONFLICT DO NOTHING`)
}

/** Writes what starts new segments, so that none but the last change of each key has to stay. */
async function untilCompacted(recordsMax: number, without: readonly string[] = []): Promise<number> {
  let records = 0
  await eventually(
    async () => {
      await flow.source`INSERT INTO counters SELECT 900 + i, 'roll', NULL, 0 FROM generate_series(1, ${ROLL_KEYS}::int) i
        ON CONFLICT (id) DO UPDATE SET steps = counters.steps + 1`
      await untilCaptured(flow)
      const histories = await readHistory(flow, 'counter')
      records = [...histories.values()].reduce((sum, entries) => sum + entries.length, 0)
      return records <= recordsMax && !without.some((key) => histories.has(key))
    },
    () => `the topic is compacted to ${recordsMax} records, without ${without}; it has ${records}`,
    90_000,
  )
  return records
}

async function publishedRecords(): Promise<number> {
  const { kafka, declaration } = flow.environment()
  const admin = await openAdmin(kafka, declaration.kafka.brokers)
  try {
    const offsets = await admin.topicOffsets(`${flow.prefix}.counter`)
    return Number(offsets.reduce((sum, { high }) => sum + high, 0n))
  } finally {
    await admin.close()
  }
}

test('a subscriber that lags behind compaction, and one that is added after it, reach the state of the source', {
  timeout: 400_000,
}, async () => {
  let capture = flow.start('capture', 'erp')
  let delivery = flow.start('deliver', 'warehouse')
  await untilQuiet(flow)
  expect(await differences(flow, [table('public')])).toEqual([])
  delivery.kill('SIGTERM')
  expect(await delivery.exited).toBe(0)

  for (let number = 0; number < BURSTS; number++) {
    await burst(number)
    await untilCaptured(flow)
    // The next producer leaves the last batch of this one behind, which compaction keeps even when it is empty.
    capture.kill(number % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
    await capture.exited
    capture = flow.start('capture', 'erp')
    // Not a wait for something to happen: the age at which the next record starts a segment.
    await delay(2 * SEGMENT_MS)
  }
  expect(await publishedRecords()).toBeGreaterThan(CHANGES_MIN)
  const remaining = await untilCompacted(500)
  expect(remaining).toBeGreaterThan(KEYS / 2)

  delivery = flow.start('deliver', 'warehouse')
  await untilQuiet(flow)
  expect(await differences(flow, [table('public')]), delivery.log()).toEqual([])

  await compactWith({ ...FORGETFUL, ...LAZY })
  const deleted = await flow.source<
    { id: string }[]
  >`DELETE FROM counters WHERE id % 5 = 0 AND id < 900 RETURNING id::text`
  expect(deleted.length).toBeGreaterThan(0)
  await untilQuiet(flow)
  await compactWith({ ...FORGETFUL, ...EAGER_COMPACTION })
  await untilCompacted(
    500,
    deleted.map(({ id }) => id),
  )

  flow.writeDeclaration(declare(flow.prefix) + subscriber('latecomer', 'late'))
  await flow.provision()
  const late = flow.start('deliver', 'latecomer')
  await untilQuiet(flow)
  expect(await differences(flow, [table('public'), table('late')]), late.log()).toEqual([])
  for (const one of [capture, delivery, late]) one.kill('SIGTERM')
  expect(await Promise.all([capture.exited, delivery.exited, late.exited])).toEqual([0, 0, 0])
})

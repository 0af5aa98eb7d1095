import { Partitioners } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IncomingRecord } from '../../../connectors/kafka/consumer.ts'
import { readTopic } from '../../../connectors/kafka/read-topic.ts'
import { deadLetterTopic, entityTopic } from '../../../schemas/topics.ts'
import { createFlow, eventually, type Flow, type FlowProcess, onLocalErp } from '../../support/flow.ts'
import { untilQuiet } from '../../support/quiet.ts'
import { type ComparedTable, differences } from '../../support/rows.ts'
import { alterTopics } from '../../support/topics/compaction.ts'

let flow: Flow
let running: FlowProcess

const declare = (prefix: string) => `
${onLocalErp(prefix)}
entities:
  thing:
    source: erp
    table: things
    key: id
    owner: test
    freshness: 15m
    partitions: 1
    fields: { id: int64, amount: int64 }
subscribers:
  warehouse:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    entities: { thing: { table: things } }
`

const TABLE: ComparedTable = { source: 'things', warehouse: 'things', key: ['id'], columns: ['id', 'amount'] }

beforeAll(async () => {
  flow = await createFlow(
    declare,
    `CREATE TABLE things (id bigint PRIMARY KEY, amount bigint);
     ALTER TABLE things REPLICA IDENTITY FULL;
     INSERT INTO things SELECT i, i FROM generate_series(1, 10) i`,
  )
  await flow.provision()
  running = flow.start('run')
  await untilQuiet(flow)
})

afterAll(() => flow?.close())

async function records(topic: string): Promise<IncomingRecord[]> {
  const { kafka, declaration } = flow.environment()
  const found: IncomingRecord[] = []
  await readTopic(kafka, declaration.kafka.brokers, topic, (record) => found.push(record))
  return found
}

/** The newest dead letter of each key, as its code; null once it was tombstoned. */
async function deadLetters(): Promise<Map<string, IncomingRecord>> {
  return new Map(
    (await records(deadLetterTopic(flow.prefix, 'warehouse'))).map((record) => [record.key!.toString(), record]),
  )
}

function header(record: IncomingRecord | undefined, name: string): string | undefined {
  return record?.headers[name]?.toString()
}

test('records that cannot be read become dead letters, and those around them arrive', {
  timeout: 120_000,
}, async () => {
  const topic = entityTopic(flow.prefix, 'thing')
  const good = (await records(topic)).find(({ key }) => key?.toString() === '1')!.value!
  const unknownSchema = Buffer.from(good)
  unknownSchema.writeInt32BE(2_000_000_000, 1)
  const stranger = flow.environment().kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await stranger.connect()
  await flow.source`UPDATE things SET amount = 100 WHERE id <= 5`
  const bad = [
    { key: '101', value: Buffer.from('no delta at all') },
    { key: '102', value: good.subarray(0, -3) },
    { key: '103', value: unknownSchema },
    { key: null, value: good },
    { key: '104', value: null },
    { key: '105', value: Buffer.alloc(0) },
  ]
  // The broker takes no record without a key while the topic is compacted.
  await alterTopics(flow.environment(), [topic], { 'cleanup.policy': 'delete' })
  const [appended] = await stranger.send({ topic, messages: bad })
  await alterTopics(flow.environment(), [topic], { 'cleanup.policy': 'compact' })
  await stranger.disconnect()
  await flow.source`UPDATE things SET amount = 200 WHERE id > 5`
  // The committed offset passes the bad ones as well.
  await untilQuiet(flow)
  expect(await differences(flow, [TABLE]), running.log()).toEqual([])

  const letters = await deadLetters()
  const base = Number(appended!.baseOffset)
  const unkeyed = (at: number) => `thing/@0-${base + at}`
  expect([...letters.keys()].toSorted()).toEqual(
    [unkeyed(0), 'thing/102', 'thing/103', unkeyed(3), unkeyed(4), unkeyed(5)].toSorted(),
  )
  for (const [key, at] of [
    [unkeyed(0), 0],
    ['thing/102', 1],
    ['thing/103', 2],
    [unkeyed(3), 3],
    [unkeyed(4), 4],
    [unkeyed(5), 5],
  ] as const) {
    const letter = letters.get(key)
    expect(header(letter, 'tributary.code'), key).toBe('record-corrupt')
    expect(header(letter, 'tributary.subscriber')).toBe('warehouse')
    expect(header(letter, '__connect.errors.topic')).toBe(topic)
    expect(header(letter, '__connect.errors.offset'), key).toBe(String(base + at))
    expect(letter!.value, 'the bytes as they were').toEqual(bad[at]!.value ?? Buffer.alloc(0))
  }
})

test('a record that the warehouse refuses is a dead letter alone, until a later change of its key succeeds', {
  timeout: 120_000,
}, async () => {
  await flow.warehouse`ALTER TABLE things ADD CONSTRAINT sensible CHECK (amount < 1000)`
  await flow.source`UPDATE things SET amount = CASE id WHEN 3 THEN 4000 ELSE 300 + id END`
  await untilQuiet(flow)
  expect(await differences(flow, [TABLE]), running.log()).toEqual(['things ["3"].amount: 100 instead of 4000'])
  const letter = (await deadLetters()).get('thing/3')
  expect(header(letter, 'tributary.code')).toBe('23514')
  expect(header(letter, 'tributary.attempts')).toBe('1')
  expect(header(letter, '__connect.errors.exception.message')).toContain('sensible')
  expect(header(letter, '__connect.errors.exception.message')).not.toContain('4000')

  await flow.source`UPDATE things SET amount = 33 WHERE id = 3`
  await untilQuiet(flow)
  expect(await differences(flow, [TABLE]), running.log()).toEqual([])
  await eventually(async () => (await deadLetters()).get('thing/3')!.value === null, 'the dead letter is tombstoned')
  running.kill('SIGTERM')
  expect(await running.exited).toBe(0)
})

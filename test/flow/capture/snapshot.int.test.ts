import { expect, onTestFinished, test } from 'vitest'
import { openAdmin } from '../../../connectors/kafka/admin.ts'
import { createProducer } from '../../../connectors/kafka/producer.ts'
import { readTopic } from '../../../connectors/kafka/read-topic.ts'
import { peekVersion } from '../../../schemas/codec.ts'
import { createFlow, eventually, type Flow } from '../../support/flow.ts'
import { untilQuiet } from '../../support/quiet.ts'
import { differences } from '../../support/rows.ts'
import { CUSTOMERS, declareCustomers } from '../customers.ts'

const ROWS = 40_000
const CHUNK_ROWS = 1_000
const COMPARED = [
  { source: 'customers', warehouse: 'customers', key: ['id'], columns: ['id', 'name', 'credit', 'note'] },
]

/** The declaration with chunks of {@link CHUNK_ROWS}. */
const declare = (prefix: string) =>
  declareCustomers(prefix).replace(
    /erp: \{ type: postgres, url: ([^}]*\}?") \}/,
    `erp: { type: postgres, url: $1, snapshot: { chunkRows: ${CHUNK_ROWS} } }`,
  )

async function published(flow: Flow): Promise<number> {
  const { declaration, kafka } = flow.environment()
  const admin = await openAdmin(kafka, declaration.kafka.brokers)
  const offsets = await admin.topicOffsets(`${flow.prefix}.customer`).finally(() => admin.close())
  return offsets.reduce((sum, { high }) => sum + Number(high), 0)
}

/** How many rows of snapshots the topic holds, as often as each was published, and their points. */
async function snapshotRows(flow: Flow): Promise<{ count: number; keys: number; points: number }> {
  const { declaration, kafka } = flow.environment()
  const rows: string[] = []
  const points = new Set<bigint>()
  await readTopic(kafka, declaration.kafka.brokers, `${flow.prefix}.customer`, ({ key, value }) => {
    const version = value === null ? undefined : peekVersion(value)
    if (version?.ordinal !== -1) return
    rows.push(key!.toString())
    points.add(version.position)
  })
  return { count: rows.length, keys: new Set(rows).size, points: points.size }
}

test('killed at half of a large table, at most one chunk is read twice and the warehouse ends as the table', async () => {
  const flow = await createFlow(declare, CUSTOMERS)
  onTestFinished(() => flow.close())
  expect(flow.declaration().sources.get('erp')).toMatchObject({ snapshot: { chunkRows: CHUNK_ROWS } })
  await flow.source`INSERT INTO customers SELECT i, 'Persona ' || i, 0, repeat('n', 200) FROM generate_series(21, ${ROWS}::int) i`
  await flow.provision()
  const first = flow.start('capture', 'erp')
  await eventually(async () => (await published(flow)) > ROWS / 4, 'a part of the table is published', 30_000)
  first.kill('SIGKILL')
  await first.exited
  const part = await published(flow)
  expect(part).toBeLessThan(ROWS - 2 * CHUNK_ROWS)
  // Rows of what was read and of what was not, changed, deleted and moved across the border.
  await flow.source`UPDATE customers SET credit = credit + 1 WHERE id IN (5, ${ROWS - 5})`
  await flow.source`DELETE FROM customers WHERE id IN (6, ${ROWS - 6})`
  await flow.source`UPDATE customers SET id = ${ROWS + 7} WHERE id = 7`
  await flow.source`UPDATE customers SET id = 0 WHERE id = ${ROWS - 7}`
  const running = flow.start('run')
  await untilQuiet(flow).catch((error) => {
    throw new Error(running.log(), { cause: error })
  })
  const rows = await snapshotRows(flow)
  console.info(
    `killed at ${part} of ${ROWS} rows; ${rows.count} records for ${rows.keys} keys, as of ${rows.points} points`,
  )
  expect(rows.count - rows.keys).toBeLessThanOrEqual(CHUNK_ROWS)
  expect(rows.points).toBeGreaterThan(1)
  expect((await flow.run('verify', 'customer')).code).toBe(0)
  expect(await differences(flow, COMPARED)).toEqual([])
})

const OWN_ROWS = 20

test('`tributary snapshot` asks the running capture, follows it, and says what is wrong', async () => {
  const flow = await createFlow(declare, CUSTOMERS)
  onTestFinished(() => flow.close())
  await flow.provision()
  const topic = `${flow.prefix}.customer`
  const snapshot = async (...args: string[]) => {
    const { code, stdout, stderr } = await flow.run('snapshot', 'erp', ...args)
    return { code, said: `${stdout}${stderr}`.trim(), json: args.includes('--json') ? JSON.parse(stdout) : undefined }
  }
  const verify = async () => (await flow.run('verify', 'customer')).code

  // Nobody is there to hear it: it is kept, and carried out later.
  const kept = await snapshot('customer', '--timeout', '1', '--json')
  expect([kept.code, kept.json.error.code]).toEqual([1, 'request-unanswered'])

  const first = flow.start('run')
  await untilQuiet(flow).catch((error) => {
    throw new Error(first.log(), { cause: error })
  })
  expect(await differences(flow, COMPARED)).toEqual([])

  const unknown = await snapshot('supplier')
  expect([unknown.code, unknown.said]).toEqual([2, expect.stringContaining('it has: customer')])
  const bad = await snapshot('customer', '--where', 'colour=red')
  expect([bad.code, bad.said]).toEqual([2, expect.stringMatching(/Its fields:\s+id, name, credit, note/)])

  const before = await snapshotRows(flow)
  const some = await snapshot('customer', '--where', 'id<=5', '--where', 'name!=Persona 3', '--json')
  expect(some).toMatchObject({
    code: 0,
    json: { ok: true, entities: [{ entity: 'customer', state: 'done', rows: 4 }] },
  })
  const after = await snapshotRows(flow)
  expect(after.count - before.count).toBe(4)

  await damage(flow, topic)
  expect(await verify()).toBe(1)
  const [whole, other] = await Promise.all([snapshot('customer'), snapshot()])
  for (const done of [whole, other]) expect(done).toMatchObject({ code: 0, said: `customer: done, ${OWN_ROWS} rows` })
  expect(await verify()).toBe(0)
  const asked = await snapshot('--no-wait')
  expect(asked).toMatchObject({ code: 0, said: 'Asked for a snapshot of customer.' })
  await untilQuiet(flow)
  expect(await differences(flow, COMPARED)).toEqual([])
})

/** An old version as the last record of a key, and a key that the table has not. */
async function damage(flow: Flow, topic: string): Promise<void> {
  const { declaration, kafka } = flow.environment()
  let old: Buffer | undefined
  await readTopic(kafka, declaration.kafka.brokers, topic, ({ key, value }) => {
    if (key?.toString() === '5') old ??= value ?? undefined
  })
  const producer = createProducer(kafka)
  await producer.connect()
  await producer.send(['5', '999'].map((key) => ({ topic, key, value: old!, headers: {} })))
  await producer.close()
}

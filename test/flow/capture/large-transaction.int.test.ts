import { expect, onTestFinished, test } from 'vitest'
import { openAdmin } from '../../../connectors/kafka/admin.ts'
import { createFlow, eventually, type Flow } from '../../support/flow.ts'
import { readHistory, staleTails } from '../../support/topics/topic-history.ts'
import { CUSTOMERS, declareCustomers } from '../customers.ts'

const CREATED = 60_000
const UPDATED = 40_000
/** Rows that were there before. */
const FIRST = 20

/** How many records were ever published, as its offsets say; fences count as well. */
async function watchOffsets(flow: Flow): Promise<() => Promise<number>> {
  const { declaration, kafka } = flow.environment()
  const admin = await openAdmin(kafka, declaration.kafka.brokers)
  onTestFinished(() => admin.close())
  return async () => {
    const offsets = await admin.topicOffsets(`${flow.prefix}.customer`)
    return offsets.reduce((sum, { high }) => sum + Number(high), 0)
  }
}

test('killed in the middle of a transaction of 100,000 changes, capture publishes all of it, in order', async () => {
  const flow = await createFlow(declareCustomers, CUSTOMERS)
  onTestFinished(() => flow.close())
  await flow.provision()
  const published = await watchOffsets(flow)
  const first = flow.start('capture', 'erp')
  await eventually(async () => (await published()) >= FIRST, 'the first rows are published')

  await flow.source.begin(async (sql) => {
    await sql`INSERT INTO customers SELECT i, 'Persona ' || i, 0, repeat('n', 50)
      FROM generate_series(${FIRST + 1}::int, ${FIRST + CREATED}::int) AS i`
    await sql`UPDATE customers SET credit = 1 WHERE id <= ${UPDATED}`
  })
  await eventually(async () => (await published()) > FIRST + 5_000, 'the transaction begins to arrive')
  first.kill('SIGKILL')
  await first.exited
  const half = await published()
  expect(half).toBeLessThan(FIRST + CREATED + UPDATED)

  flow.start('capture', 'erp')
  await flow.source`INSERT INTO customers VALUES (0, 'after it')`
  await eventually(async () => (await published()) >= half + CREATED + UPDATED + 1, 'all of it is published')

  const histories = await readHistory(flow, 'customer')
  expect(histories.size).toBe(FIRST + CREATED + 1)
  expect(staleTails('customer', histories)).toEqual([])
  const updated = histories.entries().filter(([, entries]) => entries.at(-1)!.content!.includes('"credit":"1.00"'))
  const keys = [...updated].map(([key]) => Number(key)).sort((a, b) => a - b)
  expect(keys).toEqual(Array.from({ length: UPDATED }, (_, index) => index + 1))
})
